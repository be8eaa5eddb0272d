//! The clock reader of box A is killed and started again.

use chronolease_e2e::rig::TSU;
use chronolease_e2e::{Options, Programs, Rig};

#[test]
fn without_its_clock_reader_a_tsu_issues_nothing_and_with_it_again() {
    let mut rig = Rig::with_lease(&Options::default());
    assert!(rig.client().ask().token().is_some());
    let heard = |rig: &Rig| {
        let family = "chronolease_monitor_tsu_clock_reader_heard";
        rig.monitor_metrics().get(family, &[("tsu", TSU)])
    };
    assert_eq!(heard(&rig), Some(1.0));

    rig.tsu_clock.sigkill();
    rig.wait_until_unready();
    let refused = rig.client().ask();
    assert!(refused.is_time_not_available(), "{refused:?}");
    rig.eventually("the monitor hears of it", || match (heard(&rig), rig.endings("reader-lost")) {
        (Some(0.0), 1.0) => Ok(()),
        seen => Err(format!("{seen:?}")),
    });

    rig.start_tsu_clock();
    rig.wait_for_lease();
    assert!(rig.client().ask().token().is_some());
    assert_eq!(rig.endings("step-notice"), 0.0);
}

/// The negative control: programs that do not mind go on.
#[test]
fn programs_with_the_guard_off_go_on_without_a_clock_reader() {
    let options = Options { programs: Programs::NegativeControl, ..Options::default() };
    let mut rig = Rig::with_lease(&options);
    rig.tsu_clock.sigkill();
    rig.eventually("the monitor hears of it and renews all the same", || {
        let family = "chronolease_monitor_tsu_clock_reader_heard";
        match rig.monitor_metrics().get(family, &[("tsu", TSU)]) {
            Some(0.0) => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });
    assert!(rig.client().ask().token().is_some());
    assert_eq!(rig.endings("reader-lost"), 0.0);
}
