//! Prometheus' text format, version 0.0.4: for each family its help, its type and its samples.

use std::fmt::{Display, Write as _};

use super::{Counter, Spread};

/// What kind of family it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What only grows, since the start of the process.
    Counter,
    /// What stands now.
    Gauge,
}

/// The page as it grows. Names begin with `invited_`; no label has an address, a name or a reference as its value.
#[derive(Debug, Default)]
pub struct Page(String);

/// A label as it stands between the braces of a sample.
pub fn label(name: &str, value: &str) -> String {
    let mut text = format!("{name}=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

// Writing to a string does not fail.
impl Page {
    /// A family with samples under labels (see [`label`]; several are joined by a comma).
    pub fn family<V: Display>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, V)>,
    ) {
        self.heading(name, help, if kind == Kind::Counter { "counter" } else { "gauge" });
        for (labels, value) in samples {
            let _ = match labels.as_str() {
                "" => writeln!(self.0, "{name} {value}"),
                labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
            };
        }
    }

    /// A family of one counter.
    pub fn counter(&mut self, name: &str, help: &str, counter: &Counter) {
        self.family(Kind::Counter, name, help, [(String::new(), counter.get())]);
    }

    /// A family of counters that one label tells apart.
    pub fn counters<'c>(
        &mut self,
        name: &str,
        help: &str,
        by: &str,
        counters: impl IntoIterator<Item = (&'c str, &'c Counter)>,
    ) {
        let samples = counters.into_iter().map(|(value, counter)| (label(by, value), counter.get()));
        self.family(Kind::Counter, name, help, samples);
    }

    /// A family of one gauge; without a value it has a heading alone.
    pub fn gauge(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        self.family(Kind::Gauge, name, help, value.map(|value| (String::new(), value)));
    }

    /// Spans as a histogram, in seconds.
    pub fn spans<const BOUNDS: usize>(&mut self, name: &str, help: &str, spread: &Spread<BOUNDS>) {
        self.histogram(name, help, spread, seconds);
    }

    /// Numbers as a histogram.
    pub fn numbers<const BOUNDS: usize>(&mut self, name: &str, help: &str, spread: &Spread<BOUNDS>) {
        self.histogram(name, help, spread, |number| number.to_string());
    }

    fn histogram<const BOUNDS: usize>(
        &mut self,
        name: &str,
        help: &str,
        spread: &Spread<BOUNDS>,
        written: impl Fn(u64) -> String,
    ) {
        self.heading(name, help, "histogram");
        let (bounds, count, sum) = spread.standing();
        for (bound, up_to) in bounds {
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{}\"}} {up_to}", written(bound));
        }
        let sum = written(sum);
        let _ = writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
    }

    fn heading(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// Microseconds as seconds, without a rounding error.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        static BOUNDS: [u64; 2] = [500, 2_000_000];
        let (mut page, spread, counter) = (Page::default(), Spread::new(&BOUNDS), Counter::default());
        spread.saw(400);
        spread.saw(3_000_000);
        counter.add(7);
        page.counter("a_total", "All of a.", &counter);
        page.counters("b_total", "All of b.", "code", [("451", &counter)]);
        page.gauge("c", "One c.", Some(1.5));
        page.gauge("d", "No d.", None::<u64>);
        page.spans("e_seconds", "Spans.", &spread);
        page.numbers("f", "Numbers.", &spread);
        assert_eq!(
            page.into_text(),
            "# HELP a_total All of a.\n# TYPE a_total counter\na_total 7\n\
             # HELP b_total All of b.\n# TYPE b_total counter\nb_total{code=\"451\"} 7\n\
             # HELP c One c.\n# TYPE c gauge\nc 1.5\n\
             # HELP d No d.\n# TYPE d gauge\n\
             # HELP e_seconds Spans.\n# TYPE e_seconds histogram\n\
             e_seconds_bucket{le=\"0.0005\"} 1\ne_seconds_bucket{le=\"2\"} 1\ne_seconds_bucket{le=\"+Inf\"} 2\n\
             e_seconds_sum 3.0004\ne_seconds_count 2\n\
             # HELP f Numbers.\n# TYPE f histogram\n\
             f_bucket{le=\"500\"} 1\nf_bucket{le=\"2000000\"} 1\nf_bucket{le=\"+Inf\"} 2\nf_sum 3000400\nf_count 2\n"
        );
    }

    #[test]
    fn a_label_cannot_leave_its_quotes() {
        assert_eq!(label("shop", "a\"b\\c\nd"), "shop=\"a\\\"b\\\\c\\nd\"");
    }

    #[test]
    fn seconds_are_exact() {
        for (micros, written) in [(0, "0"), (1, "0.000001"), (500, "0.0005"), (10_000_000, "10"), (1_200_000, "1.2")] {
            assert_eq!(seconds(micros), written);
        }
    }
}
