//! The list of leap seconds.

use chronolease_core::leap::list::{BYTES_MAX, LeapList, write_list};
use chronolease_core::time::Bound;

/// Any bytes are refused or a list; a list keeps its meaning when it is written anew, and its
/// values never change by more than a second.
///
/// # Panics
/// When that is not so.
pub fn leap_list(file: &[u8]) {
    let list = match LeapList::parse(file, None) {
        Ok(list) => list,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(file.len() <= BYTES_MAX);
    assert_eq!(LeapList::parse(file, Some(list.digest())), Ok(list.clone()));
    let text = write_list(list.updated(), list.expires(), list.entries());
    let again = LeapList::parse(text.as_bytes(), None).expect("what is written is read");
    assert_eq!(again.entries(), list.entries());
    assert_eq!((again.updated(), again.expires()), (list.updated(), list.expires()));
    assert_eq!(list.leaps().count() + 1, list.entries().len());
    for (end, sign) in list.leaps() {
        let before = end.instant() + -Bound::from_nanos(1).as_span();
        let change = list.tai_minus_utc_s(end.instant()).zip(list.tai_minus_utc_s(before));
        let change = change.map(|(after, before)| after - before);
        assert_eq!(change, Some(sign.tai_minus_utc_change_s()));
        assert_eq!(list.says(end), Some(Some(sign)));
    }
}
