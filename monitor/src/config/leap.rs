//! `[leap_seconds]`: what operators know of leap seconds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::leap::LeapSign;
use chronolease_core::leap::claim::BulletinC;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::plan::Season;
use chronolease_net::config::Section;

use crate::core::leap::watch::LeapRules;

/// What operators know of leap seconds.
#[derive(Clone, Debug)]
pub struct LeapConfig {
    /// The list as the IERS or the IANA publish it. Whether it is there and sound is found out when
    /// it is read: a list that is not counts as missing, and does not keep a monitor from starting.
    pub file: Option<PathBuf>,
    /// What SHA-256 over that file must be.
    pub pin: Option<Hash>,
    /// Everything else.
    pub rules: LeapRules,
}

impl LeapConfig {
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("leap_seconds");
        let file = section.optional("file", Section::path);
        let what = "a SHA-256 in 64 hexadecimal digits";
        let pin =
            section.optional("sha256", |section, key| section.parsed(key, what, Hash::from_hex));
        let seasons = [("half-year", Season::HalfYears), ("every", Season::EveryMonth)];
        let season = section.one_of_or("months", &seasons, Season::HalfYears);
        let bulletins = bulletins(&section);
        let (file, pin) = (file?, pin?);
        if pin.is_some() && file.is_none() {
            section.error("sha256", "there is no file that it could be of");
        }
        Some(Self { file, pin, rules: LeapRules { season: season?, bulletins: bulletins? } })
    }
}

fn bulletins(section: &Section<'_>) -> Option<Vec<BulletinC>> {
    let says = [
        ("none", None),
        ("positive", Some(LeapSign::Insert)),
        ("negative", Some(LeapSign::Delete)),
    ];
    let mut numbers = BTreeSet::new();
    let read = |section: &Section<'_>| {
        let number = section.integer("number", 1..=9_999);
        let month = section.parsed("month", "a month such as \"2026-12\"", month);
        let says = section.one_of("says", &says);
        let number = u16::try_from(number?).ok()?;
        if !numbers.insert(number) {
            section.error("number", format!("Bulletin C {number} stands here twice"));
        }
        Some(BulletinC { number, about: month?, says: says? })
    };
    section.sections("bulletin_c").iter().map(read).collect::<Vec<_>>().into_iter().collect()
}

fn month(text: &str) -> Option<MonthEnd> {
    let (year, month) = text.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let fits = year.len() == 4 && month.len() == 2 && digits(year) && digits(month);
    MonthEnd::of(year.parse().ok().filter(|_| fits)?, month.parse().ok()?)
}
