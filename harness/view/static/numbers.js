// Numbers in units that a person reads; – is unknown.

export const OUTCOMES = {
  correct: ["✓", "correct"], wrong: ["✗", "wrong"], unparsed: ["?", "unparsed"], refused: ["⊘", "refused"],
  truncated: ["…", "truncated"], timed_out: ["⏱", "timed out"], provider_error: ["!", "provider error"],
  not_run: ["·", "not run"],
};

export const whole = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
export const share = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
export const short = (value) =>
  value === null || value === undefined ? "–" : String(Number(value.toPrecision(4)));

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  for (const [unit, size] of [["h", 3600], ["min", 60], ["s", 1], ["ms", 1e-3]]) {
    if (value >= size * (size >= 60 ? 2 : 1)) return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return `${Number((value * 1e6).toPrecision(3))} µs`;
}

export function usd(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 1e-6) return "<$0.000001";
  return value >= 1 ? `$${value.toFixed(2)}` : value === 0 ? "$0" : `$${Number(value.toPrecision(2))}`;
}

export function quantity(value) {
  if (value === null || value === undefined) return "–";
  for (const [size, letter] of [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))}${letter}`;
  }
  return short(value);
}
