//! Plots as SVG that uses the colors of the page: `--ink`, `--grid` and `--c0` to `--c7`. No
//! scripts, no fonts.

use maud::{Markup, PreEscaped, html};

/// Number of colors; they repeat for further models.
const COLORS: usize = 8;

/// Narrow, so that text is readable on a phone.
const WIDTH: f64 = 460.0;
const ROW: f64 = 20.0;
const LEFT: f64 = 12.0;
const RIGHT: f64 = 165.0;

/// Value with its interval.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Draws rows of bars: one group per name and one bar per series. A bar is labeled with its value;
/// whiskers are intervals.
pub fn bars(title: &str, groups: &[(String, Vec<Bar>)], series: &[String]) -> Markup {
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    let min = all().map(|b| b.low.min(b.value)).fold(0.0, f64::min);
    let max = all().map(|b| b.high.max(b.value)).fold(0.0, f64::max);
    let scale = Scale::new(min, max);
    let rows: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    // Each group has a line for its name.
    let height = (rows + groups.len() + 1) as f64 * ROW;
    let group_height = |(_, bars): &(String, Vec<Bar>)| (bars.len() + 1) as f64 * ROW;
    let tops = groups.iter().scan(0.0, |next, group| {
        let top = *next;
        *next += group_height(group);
        Some(top)
    });
    html! {
        figure {
            figcaption { (title) }
            @if series.len() > 1 { (legend(series)) }
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(title) {
                @for tick in scale.ticks() {
                    (line(scale.x(tick), 0.0, scale.x(tick), height - ROW, "grid"))
                    (text(scale.x(tick), height - 5.0, "middle", "small", &number(tick)))
                }
                @for ((name, bars), top) in groups.iter().zip(tops) {
                    (text(2.0, top + ROW - 5.0, "start", "", name))
                    @for (n, bar) in bars.iter().enumerate() {
                        @let y = top + (n + 1) as f64 * ROW;
                        (one(bar, n, y, &scale, &format!("{name}: {}", number(bar.value))))
                    }
                }
                (line(scale.x(0.0), 0.0, scale.x(0.0), height - ROW, "zero"))
            }
        }
    }
}

fn one(bar: &Bar, n: usize, y: f64, scale: &Scale, hint: &str) -> Markup {
    let (zero, end) = (scale.x(0.0), scale.x(bar.value));
    let (low, high) = (scale.x(bar.low), scale.x(bar.high));
    let middle = y + ROW / 2.0;
    let label = match bar.low < bar.high {
        true => format!(
            "{} [{} {}]",
            number(bar.value),
            number(bar.low),
            number(bar.high)
        ),
        false => number(bar.value),
    };
    html! {
        rect x=(place(zero.min(end))) y=(place(y + 3.0)) width=(place((end - zero).abs())) height=(place(ROW - 6.0))
            rx="2" fill=(format!("var(--c{})", n % COLORS)) { title { (hint) } }
        @if bar.low < bar.high {
            (line(low, middle, high, middle, "whisker"))
            (line(low, middle - 4.0, low, middle + 4.0, "whisker"))
            (line(high, middle - 4.0, high, middle + 4.0, "whisker"))
        }
        (text(WIDTH - RIGHT + 8.0, middle + 4.0, "start", "small", &label))
    }
}

/// Draws one line per series over common places on the x axis, which are evenly spaced.
pub fn lines(title: &str, places: &[String], series: &[(String, Vec<f64>)]) -> Markup {
    const HEIGHT: f64 = 220.0;
    const FLOOR: f64 = HEIGHT - 30.0;
    let max = series
        .iter()
        .flat_map(|(_, v)| v)
        .copied()
        .fold(0.0, f64::max);
    let step = nice(max / 4.0);
    let top = (max / step).ceil().max(1.0) * step;
    let x = |n: usize| 60.0 + (WIDTH - 100.0) * n as f64 / (places.len().max(2) - 1) as f64;
    let y = |value: f64| FLOOR - (FLOOR - 15.0) * value / top;
    let names: Vec<_> = series.iter().map(|(name, _)| name.clone()).collect();
    let ticks = (0..=(top / step).round() as usize).map(|n| n as f64 * step);
    html! {
        figure {
            figcaption { (title) }
            (legend(&names))
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                @for tick in ticks {
                    (line(50.0, y(tick), WIDTH - 30.0, y(tick), "grid"))
                    (text(44.0, y(tick) + 4.0, "end", "small", &number(tick)))
                }
                @for (n, place) in places.iter().enumerate() {
                    (text(x(n), HEIGHT - 8.0, "middle", "small", place))
                }
                @for (n, (name, values)) in series.iter().enumerate() {
                    @let points: Vec<_> = values.iter().enumerate()
                        .map(|(n, v)| format!("{},{}", place(x(n)), place(y(*v)))).collect();
                    polyline points=(points.join(" ")) fill="none" stroke-width="2"
                        stroke=(format!("var(--c{})", n % COLORS)) {}
                    @for (at, value) in values.iter().enumerate() {
                        circle cx=(place(x(at))) cy=(place(y(*value))) r="4" fill=(format!("var(--c{})", n % COLORS)) {
                            title { (name) ": " (number(*value)) }
                        }
                    }
                }
            }
        }
    }
}

fn legend(series: &[String]) -> Markup {
    html! {
        p.legend {
            @for (n, name) in series.iter().enumerate() {
                span { i style=(format!("background: var(--c{})", n % COLORS)) {} (name) }
            }
        }
    }
}

/// Scale from values to places between the margins.
struct Scale {
    min: f64,
    max: f64,
    step: f64,
}

impl Scale {
    fn new(min: f64, max: f64) -> Self {
        let step = nice((max - min) / 4.0);
        Self {
            min: (min / step).floor() * step,
            max: ((max / step).ceil() * step).max(step),
            step,
        }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (value - self.min) / (self.max - self.min)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.max - self.min) / self.step).round() as usize;
        (0..=count).map(|n| self.min + n as f64 * self.step)
    }
}

/// Returns 1, 2 or 5 times a power of ten, at min `step`.
fn nice(step: f64) -> f64 {
    if !(step > 0.0 && step.is_finite()) {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fitting = factors
        .into_iter()
        .find(|f| f * power >= step * (1.0 - 1e-9));
    fitting.unwrap_or(10.0) * power
}

/// Formats with four decimals, without trailing zeros.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn place(value: f64) -> String {
    format!("{value:.1}")
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Markup {
    html! { line x1=(place(x1)) y1=(place(y1)) x2=(place(x2)) y2=(place(y2)) class=(class) {} }
}

fn text(x: f64, y: f64, anchor: &str, class: &str, content: &str) -> Markup {
    html! { text x=(place(x)) y=(place(y)) text-anchor=(anchor) class=(class) { (content) } }
}

/// Style sheet of the plots.
pub const STYLE: PreEscaped<&str> = PreEscaped(
    ":root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --soft: #5b6675; --grid: #dfe3e8;
  --c0: #2a6fbb; --c1: #d9772b; --c2: #3a8f55; --c3: #a64ca6; --c4: #b8982a; --c5: #2a9d9d; --c6: #c0504d; --c7: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --paper: #14181e; --soft: #98a3b3; --grid: #2d3540;
  --c0: #5b9be0; --c1: #f09a55; --c2: #5fbf7f; --c3: #cf7fcf; --c4: #dcc050; --c5: #55c5c5; --c6: #e5807d; --c7: #a0a0a0; } }
svg { width: 100%; height: auto; display: block; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .small { font-size: 11px; fill: var(--soft); }
svg .grid { stroke: var(--grid); } svg .zero { stroke: var(--soft); } svg .whisker { stroke: var(--ink); }
figure { margin: 1.5em 0; max-width: 40rem; } figcaption { font-weight: 600; margin-bottom: .4em; }
.legend { margin: 0 0 .4em; } .legend span { margin-right: 1em; white-space: nowrap; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em; }
",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let steps = [0.013, 0.02, 0.3, 7.0, 0.0, f64::NAN].map(nice);
        let expected = [0.02, 0.02, 0.5, 10.0, 1.0, 1.0];
        assert!(
            steps
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12),
            "{steps:?}"
        );
        assert_eq!(
            [0.25, 1.0, -0.000_001, 0.12345].map(number),
            ["0.25", "1", "0", "0.1235"]
        );
    }

    #[test]
    fn bars_lie_within_the_plot_and_names_are_escaped() {
        let bar = |value: f64| Bar {
            value,
            low: value - 0.1,
            high: value + 0.1,
        };
        let groups = [("<b>".to_owned(), vec![bar(-0.3), bar(0.7)])];
        let svg = bars("a & b", &groups, &["one".into(), "two".into()]).into_string();
        assert!(svg.contains("&lt;b&gt;") && svg.contains("a &amp; b") && !svg.contains("NaN"));
        let scale = Scale::new(-0.4, 0.8);
        assert!(scale.x(-0.4) >= LEFT && scale.x(0.8) <= WIDTH - RIGHT);
        let ticks: Vec<_> = scale.ticks().map(number).collect();
        assert_eq!(ticks, ["-0.5", "0", "0.5", "1"]);
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        assert!(!bars("none", &[], &[]).into_string().contains("NaN"));
        let flat = lines("flat", &["5".into()], &[("m".into(), vec![0.0])]).into_string();
        assert!(!flat.contains("NaN") && flat.contains("polyline"));
    }
}
