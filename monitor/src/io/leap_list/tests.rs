use std::fs;

use chronolease_core::leap::list::{history, write_list};
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_net::random;

use super::*;

/// A file of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let tag = u64::from_be_bytes(random::bytes());
        Self(std::env::temp_dir().join(format!("chronolease-leap-list-{tag:016x}")))
    }

    fn write(&self, year: i32) {
        let end = |year| MonthEnd::of(year, 6).expect("a month").instant();
        fs::write(&self.0, write_list(end(2026), end(year), &history())).expect("ours");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn s(seconds: i64) -> RawInstant {
    RawInstant::from_nanos(seconds * 1_000_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_told_once_and_again_when_it_changes() {
    let scratch = Scratch::new();
    scratch.write(2027);
    let mut file = ListFile::new(Some(scratch.0.clone()), None);
    assert!(matches!(file.poll(s(0)), Some(Some(_))));
    scratch.write(2028);
    assert!(file.poll(s(4)).is_none(), "not due");
    let expires = file.poll(s(10)).flatten().map(|list| list.expires());
    assert_eq!(expires, MonthEnd::of(2028, 6).map(MonthEnd::instant));
    assert!(file.poll(s(20)).is_none(), "the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_gone_or_damaged_counts_as_missing_until_it_is_back() {
    let scratch = Scratch::new();
    let mut file = ListFile::new(Some(scratch.0.clone()), None);
    assert!(matches!(file.poll(s(0)), Some(None)), "missing from the start");
    assert!(file.poll(s(10)).is_none(), "still missing");
    scratch.write(2027);
    assert!(matches!(file.poll(s(20)), Some(Some(_))));
    let good = fs::read_to_string(&scratch.0).expect("ours");
    fs::write(&scratch.0, good.replace("\t37\t", "\t38\t")).expect("ours");
    assert!(matches!(file.poll(s(30)), Some(None)), "altered");
    fs::write(&scratch.0, good).expect("ours");
    assert!(matches!(file.poll(s(40)), Some(Some(_))));
    fs::remove_file(&scratch.0).expect("ours");
    assert!(matches!(file.poll(s(50)), Some(None)), "removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_than_the_pinned_one_is_refused() {
    let scratch = Scratch::new();
    scratch.write(2027);
    let pin = *load(&scratch.0, None).expect("sound").digest();
    let mut file = ListFile::new(Some(scratch.0.clone()), Some(pin));
    assert!(matches!(file.poll(s(0)), Some(Some(_))));
    scratch.write(2028);
    assert!(matches!(file.poll(s(10)), Some(None)));
    let error = load(&scratch.0, Some(&pin)).expect_err("another file").to_string();
    assert!(error.contains(&pin.to_string()), "{error}");
}

#[test]
fn without_a_configured_file_there_is_nothing_to_tell() {
    assert!(ListFile::default().poll(s(0)).is_none());
}
