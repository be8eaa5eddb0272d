//! Reading single values, and describing the ones that cannot be read.

use std::path::Path;

use chronolease_core::time::Bound;
use figment::value::Value;

/// What a duration looks like, for error messages.
pub(super) const DURATION: &str =
    "a duration with its unit (ns, us, ms, s, m, h, d), such as \"500ms\"";

/// The most characters of a value that an error message repeats.
const QUOTED: usize = 60;

/// The key under which the TOML reader hides a date.
const DATE: &str = "$__toml_private_datetime";

/// Reads `500ms`, `3s` or `0.3ms`: decimal digits, and a unit without a space before it. `None`
/// also for what is not a whole number of nanoseconds or does not fit 64 bits of them.
pub(super) fn duration(text: &str) -> Option<Bound> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit_ns: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let Some((whole, fraction)) = number.split_once('.') else {
        return number.parse::<u64>().ok()?.checked_mul(unit_ns).map(Bound::from_nanos);
    };
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit_ns);
    if parts % u128::from(scale) != 0 {
        return None;
    }
    let fraction_ns = u64::try_from(parts / u128::from(scale)).ok()?;
    let whole_ns = whole.parse::<u64>().ok()?.checked_mul(unit_ns)?;
    whole_ns.checked_add(fraction_ns).map(Bound::from_nanos)
}

/// Whether `path` is a file that can be opened; otherwise the message, which names it.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    let cannot = |error| format!("{} cannot be read: {error}", path.display());
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    std::fs::File::open(path).map(drop).map_err(cannot)
}

/// The integer, when the value is one that fits.
pub(super) fn integer(value: &Value) -> Option<i64> {
    let number = value.to_num()?;
    match number.to_i128() {
        Some(signed) => i64::try_from(signed).ok(),
        None => i64::try_from(number.to_u128()?).ok(),
    }
}

/// What a value is, for "expected ..., found ...".
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(_, text) => quote(text),
        Value::Char(_, c) => quote(&c.to_string()),
        Value::Bool(_, b) => b.to_string(),
        Value::Num(_, number) => match (integer(value), number.to_f64()) {
            (Some(integer), _) => format!("the number {integer}"),
            (None, Some(float)) => format!("the number {float}"),
            (None, None) => "a number beyond 64 bits".to_owned(),
        },
        Value::Dict(_, dict) if dict.contains_key(DATE) => "a date or time of day".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "an array".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
    }
}

/// A text in quotes, cut when it is long.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
        None => format!("{text:?}"),
    }
}

/// `; did you mean ...?` when one of the candidates is near to what was written.
pub(super) fn suggestion<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    let near = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min()
        .map_or_else(String::new, |(_, best)| format!("; did you mean `{best}`?"))
}

/// How many characters to insert, drop, replace or swap with their neighbour to get from one
/// text to the other (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut cost = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_need_a_number_and_a_unit() {
        for (text, ns) in [
            ("7ns", 7),
            ("20us", 20_000),
            ("500ms", 500_000_000),
            ("0.3ms", 300_000),
            ("3s", 3_000_000_000),
            ("0s", 0),
            ("1m", 60_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1d", 86_400_000_000_000),
        ] {
            assert_eq!(duration(text), Some(Bound::from_nanos(ns)), "{text}");
        }
        for text in [
            "",
            "3",
            "s",
            "3 s",
            " 3s",
            "3s ",
            "-3s",
            "+3s",
            "3S",
            "3sec",
            "1h30m",
            "1e3s",
            ".5s",
            "5.s",
            "1.2.3s",
            "0.5ns",
            "0.0000000001s",
            "300000d",
            "18446744073709551616ns",
            "٣s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_bound_reads_back(ns: u64) {
            let bound = Bound::from_nanos(ns);
            prop_assert_eq!(duration(&bound.to_string()), Some(bound));
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_stranger_is_not() {
        let known = ["accuracy", "address", "ttl"];
        for (written, best) in [
            ("adress", "address"),
            ("acuraccy", "accuracy"),
            ("tll", "ttl"),
            ("tlt", "ttl"),
            ("addresses", "address"),
        ] {
            assert_eq!(suggestion(written, known), format!("; did you mean `{best}`?"));
        }
        for written in ["x", "colour", "time_to_live"] {
            assert_eq!(suggestion(written, known), "", "{written}");
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        assert_eq!(quote("short\n"), r#""short\n""#);
        assert_eq!(quote(&"ä".repeat(61)), format!("\"{}\"...", "ä".repeat(60)));
    }
}
