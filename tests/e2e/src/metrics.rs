//! What Prometheus would read.

use std::io;
use std::net::SocketAddr;

use crate::http;

/// One scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    text: String,
}

impl Metrics {
    /// Scrapes `address`.
    ///
    /// # Errors
    /// When nobody answers there with 200.
    pub fn fetch(address: SocketAddr) -> io::Result<Self> {
        let response = http::get(address, "/metrics")?;
        if response.status != 200 {
            return Err(io::Error::other(format!("/metrics answers {}", response.status)));
        }
        Ok(Self { text: response.text() })
    }

    /// The value of the series `name` with exactly these labels, in any order.
    #[must_use]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut wanted: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        wanted.sort();
        self.series(name).find_map(|(labels, value)| {
            let mut found: Vec<_> = labels.split(',').filter(|l| !l.is_empty()).collect();
            found.sort_unstable();
            (found == wanted).then(|| value.parse().expect("a sample is a number"))
        })
    }

    /// All lines of the series `name`, for a message.
    #[must_use]
    pub fn shown(&self, name: &str) -> String {
        let lines = self.series(name).filter(|(_, value)| *value != "0");
        lines.map(|(labels, value)| format!("{name}{{{labels}}} {value}; ")).collect()
    }

    /// Labels and value of each series `name`. No label value here holds a comma or a brace.
    fn series(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            match rest.strip_prefix('{') {
                Some(rest) => rest.split_once("} "),
                None => rest.strip_prefix(' ').map(|value| ("", value)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_known_by_its_name_and_all_its_labels() {
        let text = "# HELP up x\nup 1\nup_total 2\nstate{source=\"ptb\",state=\"ok\"} 0.5\n";
        let metrics = Metrics { text: text.to_owned() };
        assert_eq!(metrics.get("up", &[]), Some(1.0));
        assert_eq!(metrics.get("up_total", &[]), Some(2.0));
        assert_eq!(metrics.get("state", &[("state", "ok"), ("source", "ptb")]), Some(0.5));
        assert_eq!(metrics.get("state", &[("source", "ptb")]), None);
        assert_eq!(metrics.get("down", &[]), None);
    }
}
