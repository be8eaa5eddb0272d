use proptest::prelude::*;
use sha1::{Digest, Sha1};

use super::*;
use crate::time::Span;

const CURRENT: &[u8] = include_bytes!("fixtures/current.list");
#[test]
fn the_history_is_that_of_the_published_list() {
    let list = LeapList::parse(CURRENT, None).expect("the published list");
    assert_eq!(history(), list.entries());
}

const EXPIRED: &[u8] = include_bytes!("fixtures/expired-2026-06-28.list");

fn end(year: i32, month: u8) -> MonthEnd {
    MonthEnd::of(year, month).expect("a month")
}

fn current() -> LeapList {
    LeapList::parse(CURRENT, None).expect("the published list")
}

fn seconds(unix_s: i64) -> Timestamp<Utc> {
    Timestamp::from_unix_nanos(unix_s * 1_000_000_000)
}

/// The published list with one piece of text replaced, and its hash made to fit again if asked.
fn changed(old: &str, new: &str, rehash: bool) -> Result<LeapList, ListError> {
    let text = str::from_utf8(CURRENT).expect("ASCII");
    assert_eq!(text.matches(old).count(), 1, "{old}");
    let text = text.replace(old, new);
    let text = if rehash { rehashed(&text) } else { text };
    LeapList::parse(text.as_bytes(), None)
}

fn rehashed(text: &str) -> String {
    let mut covered = String::new();
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("#$").or_else(|| line.strip_prefix("#@")) {
            covered.extend(value.split_whitespace());
        } else if !line.starts_with('#') {
            covered.extend(line.split('#').next().unwrap_or_default().split_whitespace());
        }
    }
    let hash: [u8; 20] = Sha1::digest(covered).into();
    let words: Vec<String> = hash
        .chunks(4)
        .map(|w| format!("{:x}", u32::from_be_bytes([w[0], w[1], w[2], w[3]])))
        .collect();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("#h")).collect();
    format!("{}\n#h {}\n", kept.join("\n"), words.join(" "))
}

#[test]
fn the_published_list_is_read() {
    let list = current();
    assert_eq!(list.entries().len(), 28);
    assert_eq!(list.leaps().count(), 27);
    assert!(list.leaps().all(|(at, sign)| sign == LeapSign::Insert && at.is_half_year()));
    assert_eq!(list.updated(), seconds(1_783_323_897));
    assert_eq!(list.expires(), seconds(1_814_140_800));
    let digest = "db5a895f16853b03bfc865e8d68f9fc8710ef1740e3400c701cd46a5bbbc3433";
    assert_eq!(list.digest().to_string(), digest);
    assert_eq!(LeapList::parse(CURRENT, Some(list.digest())), Ok(list));
}

#[test]
fn it_says_what_it_knows_and_nothing_beyond_its_expiry() {
    let list = current();
    assert_eq!(list.says(end(2016, 12)), Some(Some(LeapSign::Insert)));
    assert_eq!(list.says(end(2016, 6)), Some(None));
    assert_eq!(list.says(end(2026, 12)), Some(None));
    // It expires two days before that.
    assert_eq!(list.says(end(2027, 6)), None);
    // A leap second that it names beyond its expiry is still a claim.
    let beyond = Entry { from: end(2027, 12), tai_minus_utc_s: 38 };
    let entries = [list.entries(), &[beyond]].concat();
    let text = write_list(list.updated(), list.expires(), &entries);
    let list = LeapList::parse(text.as_bytes(), None).expect("sound");
    assert_eq!(list.says(end(2027, 12)), Some(Some(LeapSign::Insert)));
}

#[test]
fn tai_minus_utc_changes_at_the_very_instant() {
    let list = current();
    let at = end(2016, 12).instant();
    assert_eq!(list.tai_minus_utc_s(at + Span::from_nanos(-1)), Some(36));
    assert_eq!(list.tai_minus_utc_s(at), Some(37));
    assert_eq!(list.tai_minus_utc_s(Timestamp::from_unix_nanos(i64::MAX)), Some(37));
    assert_eq!(list.tai_minus_utc_s(Timestamp::from_unix_nanos(0)), None);
}

#[test]
fn an_expired_list_still_reads() {
    let list = LeapList::parse(EXPIRED, None).expect("sound, if old");
    assert_eq!(list.entries(), current().entries());
    assert!(list.expires() < current().updated());
}

#[test]
fn another_file_than_the_pinned_one_is_refused() {
    let pinned = *current().digest();
    let refused = LeapList::parse(EXPIRED, Some(&pinned));
    assert!(matches!(refused, Err(ListError::Pin { pinned: p, .. }) if p == pinned));
}

#[test]
fn every_fault_is_named_with_its_line() {
    use ListError as E;
    let line = |needle: &str| {
        let text = str::from_utf8(CURRENT).expect("ASCII");
        1 + text.lines().position(|line| line.starts_with(needle)).expect("there")
    };
    let (updated, expires, hash) = (line("#$"), line("#@"), line("#h"));
    let last = line("3692217600");
    let hash_line = "#h\ta9bad145 84c31c70 758402aa b37bfd54 5923836a";
    let cases = [
        (changed("#$\t3992312697", "#$\t3992312697x", false), E::Number { line: updated }),
        (changed("#$\t3992312697", "#$\t03992312697", false), E::Number { line: updated }),
        (changed("#$\t3992312697", "#$", false), E::Number { line: updated }),
        (changed("#$\t3992312697", "#$\t1", true), E::Range { line: updated, ntp_s: 1 }),
        (
            changed("#$\t3992312697", "#", false),
            E::Order { line: expires, after: Directive::Updated },
        ),
        (
            changed("#@\t4023129600", "#", false),
            E::Order { line: line("2272060800"), after: Directive::Expires },
        ),
        (
            changed("#@\t4023129600", "#@\t4023129600\n#@\t4023129600", false),
            E::Twice { line: expires + 1, directive: Directive::Expires },
        ),
        (
            changed("#$\t3992312697", "#$\t3992312697\n#$\t3992312697", false),
            E::Twice { line: updated + 1, directive: Directive::Updated },
        ),
        (changed(hash_line, "#", false), E::Missing(Directive::Hash)),
        (changed(hash_line, "#h a9bad145", false), E::HashForm { line: hash }),
        (changed(hash_line, &format!("{hash_line} 1"), false), E::HashForm { line: hash }),
        (
            changed(hash_line, &format!("{hash_line}\n{hash_line}"), false),
            E::Twice { line: hash + 1, directive: Directive::Hash },
        ),
        (
            changed(hash_line, &format!("{hash_line}\n4023129600 38"), false),
            E::AfterHash { line: hash + 1 },
        ),
        (changed("3692217600      37", "3692217600", true), E::Columns { line: last, columns: 1 }),
        (changed("3692217600      37", "3692217600 +37", true), E::Number { line: last }),
        (
            changed("3692217600      37", "3692217600 38", true),
            E::Step { line: last, from: 36, to: 38 },
        ),
        (
            changed("3692217600      37", "3692217600 36", true),
            E::Step { line: last, from: 36, to: 36 },
        ),
        (
            changed("3692217600      37", "3692217600 18446744073709551615", true),
            E::Step { line: last, from: 36, to: u64::MAX },
        ),
        (changed("3692217600", "3692217601", true), E::NotMonthEnd { line: last }),
        (changed("3692217600", "3644697600", true), E::NotLater { line: last }),
        (
            changed("3692217600", "99999999999", true),
            E::Range { line: last, ntp_s: 99_999_999_999 },
        ),
        (changed("3692217600      37", "3694896000 37", true), E::History),
        (changed("2272060800", "2272060801", true), E::First { line: line("2272060800") }),
        (changed("#@\t4023129600", "#@\t3992312696", true), E::ExpiresBeforeUpdate),
    ];
    for (index, (found, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found, Err(expected), "case {index}");
    }
    assert_eq!(LeapList::parse(b"", None), Err(E::Missing(Directive::Updated)));
    let long = vec![b'#'; BYTES_MAX + 1];
    assert_eq!(LeapList::parse(&long, None), Err(E::TooLong { bytes: BYTES_MAX + 1 }));
}

/// A time that wrapped at the end of NTP era 0 is not read as one of era 1, nor of 1900.
#[test]
fn entries_go_on_through_2036_and_do_not_wrap() {
    let list = current();
    let entry = |from, tai_minus_utc_s| Entry { from, tai_minus_utc_s };
    let later = [entry(end(2035, 12), 38), entry(end(2036, 1), 37), entry(end(2036, 6), 36)];
    let entries = [list.entries(), &later].concat();
    let text = write_list(list.updated(), end(2037, 1).instant(), &entries);
    assert!(text.contains("4307472000\t36"), "beyond 32 bits:\n{text}");
    let read = LeapList::parse(text.as_bytes(), None).expect("sound");
    assert_eq!(read.says(end(2036, 1)), Some(Some(LeapSign::Delete)));
    assert_eq!(read.tai_minus_utc_s(end(2036, 6).instant()), Some(36));

    let wrapped =
        rehashed(&text.replace("4307472000", &(4_307_472_000u64 - (1 << 32)).to_string()));
    let refused = LeapList::parse(wrapped.as_bytes(), None);
    assert!(matches!(refused, Err(ListError::Range { .. } | ListError::NotLater { .. })));
}

#[test]
fn no_changed_digit_passes() {
    let text = str::from_utf8(CURRENT).expect("ASCII");
    let mut place = 0;
    let mut tried = 0;
    for line in text.split_inclusive('\n') {
        let covered = ["#$", "#@", "#h"].iter().any(|d| line.starts_with(d))
            || line.starts_with(|c: char| c.is_ascii_digit());
        let end = if line.starts_with('#') { line.len() } else { line.find('#').unwrap_or(0) };
        for at in (place..place + end).filter(|&at| covered && CURRENT[at].is_ascii_digit()) {
            let mut bytes = CURRENT.to_vec();
            bytes[at] = if bytes[at] == b'9' { b'8' } else { bytes[at] + 1 };
            assert!(LeapList::parse(&bytes, None).is_err(), "byte {at}");
            tried += 1;
        }
        place += line.len();
    }
    assert!(tried > 350, "{tried} digits");
}

/// When updated, when expired, and the data, all as they stand in the file.
type Plain = (u64, u64, Vec<(u64, i64)>);

/// A second reader that shares nothing with the first: text instead of bytes, days instead of
/// months, all columns at once and the checks afterwards. `None` for what it refuses.
fn trivial(file: &[u8]) -> Option<Plain> {
    let text: String = file.iter().map(|&byte| char::from(byte)).collect();
    let plain = |word: &str| {
        let n: u64 = word.parse().ok()?;
        (n.to_string() == word).then_some(n).filter(|&n| n > 0)
    };
    let white = |c: char| c.is_ascii_whitespace();
    let words = |s: &str| -> Vec<String> {
        s.split(white).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    let (mut heads, mut rows, mut hashes, mut order) = (vec![], vec![], vec![], String::new());
    for line in text.split('\n') {
        match line.get(..2).unwrap_or(line) {
            mark @ ("#$" | "#@") => {
                let [value] = words(&line[2..]).try_into().ok()?;
                heads.push(plain(&value)?);
                order.push_str(mark);
            }
            "#h" => {
                hashes.push(words(&line[2..]));
                order.push('h');
            }
            _ if line.starts_with('#') => {}
            _ => {
                let columns = words(line.split('#').next()?);
                if !columns.is_empty() {
                    let [at, value] = columns.try_into().ok()?;
                    rows.push((plain(&at)?, plain(&value)?));
                    order.push('d');
                }
            }
        }
    }
    let sections = order.trim_end_matches('h').trim_end_matches('d');
    let (&[updated, expires], [words]) = (&heads[..], &hashes[..]) else { return None };
    if sections != "#$#@" || !order.ends_with('h') || words.len() != 5 || updated > expires {
        return None;
    }
    let covered: String = heads
        .iter()
        .copied()
        .chain(rows.iter().flat_map(|&(a, b)| [a, b]))
        .map(|n| n.to_string())
        .collect();
    let hash: [u8; 20] = Sha1::digest(covered).into();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let stated: String = words.iter().map(|w| format!("{w:0>8}").to_lowercase()).collect();
    let first_of_month = |ntp_s: u64| {
        let mut day = 25_567;
        for year in 1970..2262u64 {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for days in [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                if day * 86_400 == ntp_s {
                    return true;
                }
                day += days;
            }
        }
        false
    };
    let in_range = |&ntp_s: &u64| (2_208_988_800..=11_432_360_836).contains(&ntp_s);
    let rows: Vec<(u64, i64)> = rows
        .into_iter()
        .map(|(at, v)| Some((at, i64::try_from(v).ok()?)))
        .collect::<Option<_>>()?;
    let steps = rows.windows(2).all(|w| w[1].0 > w[0].0 && (w[1].1 - w[0].1).abs() == 1);
    let sound = stated == hash
        && heads.iter().all(in_range)
        && rows.first() == Some(&(2_272_060_800, 10))
        && rows.contains(&(3_692_217_600, 37))
        && steps
        && rows.iter().all(|&(at, _)| first_of_month(at));
    sound.then_some((updated, expires, rows))
}

fn plainly(list: &LeapList) -> Plain {
    let ntp_s = |at: Timestamp<Utc>| (at.as_unix_nanos() / 1_000_000_000 + 2_208_988_800) as u64;
    let rows =
        list.entries().iter().map(|e| (ntp_s(e.from.instant()), i64::from(e.tai_minus_utc_s)));
    (ntp_s(list.updated()), ntp_s(list.expires()), rows.collect())
}

/// Sound lists: the real history, then leap seconds of either sign at any months' ends.
fn lists() -> impl Strategy<Value = (Timestamp<Utc>, Timestamp<Utc>, Vec<Entry>)> {
    let later = prop::collection::vec((1u32..60, any::<bool>()), 0..20);
    (later, 0i64..9_000_000_000, 0i64..200_000_000).prop_map(|(later, updated, validity)| {
        let mut entries = current().entries().to_vec();
        for (months, positive) in later {
            let Entry { mut from, mut tai_minus_utc_s } = *entries.last().expect("entries");
            (0..months).for_each(|_| from = from.next());
            tai_minus_utc_s += if positive { 1 } else { -1 };
            entries.push(Entry { from, tai_minus_utc_s });
        }
        (seconds(updated), seconds(updated + validity), entries)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read((updated, expires, entries) in lists()) {
        let text = write_list(updated, expires, &entries);
        let list = LeapList::parse(text.as_bytes(), None).expect("sound");
        prop_assert_eq!((list.updated(), list.expires()), (updated, expires));
        prop_assert_eq!(list.entries(), &entries[..]);
        prop_assert_eq!(trivial(text.as_bytes()), Some(plainly(&list)));
        let rewritten = write_list(list.updated(), list.expires(), list.entries());
        prop_assert_eq!(text, rewritten);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(LeapList::parse(&bytes, None).is_err());
    }

    /// Both readers take the same files for the same lists, whatever is done to a sound one.
    #[test]
    fn two_readers_agree(
        (updated, expires, entries) in lists(),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&b"0123456789#$@h \t\r\n.-+af\xff"[..]),
             0u8..3), 0..4),
        rehash in any::<bool>(),
    ) {
        let mut bytes = write_list(updated, expires, &entries).into_bytes();
        for (at, byte, what) in edits {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        if rehash && let Ok(text) = str::from_utf8(&bytes) {
            bytes = rehashed(text).into_bytes();
        }
        let read = LeapList::parse(&bytes, None);
        prop_assert_eq!(read.as_ref().ok().map(plainly), trivial(&bytes), "{:?}", read);
    }
}
