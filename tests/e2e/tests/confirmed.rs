//! Both boxes are down, and the TSU is put back to before the last batch that the monitor confirmed,
//! but not before the last checkpoint that it vouched for.

use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{Event, PeerBroken};
use chronolease_core::evidence::note::Note;
use chronolease_core::lease::EndingCause;
use chronolease_core::wire;
use chronolease_e2e::evidence::{Log, Record};
use chronolease_e2e::folders::{copy, restore};
use chronolease_e2e::{Options, Rig};

/// From one probe to the next there is time for tokens, and a grant comes with the first good one.
const MONITOR: &str = "[lease]\nttl = \"8s\"\nprobe = \"4s\"\ngood_probes = 1\nhold = \"100ms\"\n";
const TSU: &str = "[lease]\nttl = \"8s\"\n";

/// Tokens after the copy: so many that the copy does not catch up with its own start.
const TOKENS: usize = 12;

/// A busy machine may put a probe between the copy and the last token.
const ATTEMPTS: usize = 5;

/// How many leaves of the TSU the monitor vouched for, and how many went with its last confirmation.
fn known(monitor: &Record) -> (u64, u64) {
    let (mut vouched, mut confirmed) = (0, 0);
    for leaf in &monitor.leaves {
        match &leaf.event {
            Event::PeerCheckpoint(note) => {
                let note = Note::parse(note).expect("a note");
                vouched = Checkpoint::parse(note.text()).expect("a checkpoint").size.as_u64();
            }
            Event::Confirmed(signed) => {
                let confirmation = wire::decode_confirmation(&signed.der).expect("ours");
                confirmed = confirmation.log.size.as_u64();
            }
            _ => {}
        }
    }
    (vouched, confirmed)
}

/// Both boxes are dead, and the TSU's state is put back. Whether it lies where it should.
fn put_back_between_checkpoint_and_confirmation(rig: &mut Rig) -> bool {
    let state = rig.layout().tsu_state();
    let earlier = rig.layout().file("earlier");
    let mut client = rig.client();
    assert!(client.ask().token().is_some(), "{}", rig.tsu.tail());
    let _ = std::fs::remove_dir_all(&earlier);
    copy(&state, &earlier);
    (0..TOKENS).for_each(|_| drop(client.ask()));
    rig.monitor.sigkill();
    rig.tsu.sigkill();
    let (vouched, confirmed) = known(&Log::of_monitor(rig.layout()).read(None));
    restore(&earlier, &state);
    let kept = Log::of_tsu(rig.layout()).read(None).head.tree.size.as_u64();
    println!("vouched for {vouched}, put back to {kept}, confirmed with {confirmed} leaves");
    vouched <= kept && kept + 2 < confirmed
}

#[test]
fn a_tsu_put_back_behind_the_last_confirmation_is_found_after_both_restarted() {
    for _ in 0..ATTEMPTS {
        let mut rig = Rig::with_lease(&Options {
            monitor_overlay: Some(MONITOR.to_owned()),
            tsu_overlay: Some(TSU.to_owned()),
            ..Options::default()
        });
        if !put_back_between_checkpoint_and_confirmation(&mut rig) {
            continue;
        }
        rig.start_monitor();
        rig.start_tsu();
        rig.eventually("the monitor latches", || match &rig.recorded("latch")[..] {
            "rollback" => Ok(()),
            latch => Err(latch.to_owned()),
        });
        let answer = rig.client().ask();
        assert!(answer.is_time_not_available(), "{answer:?}");
        let broken = || rig.tsu_metrics().get("chronolease_tsu_logs_broken", &[]);
        rig.eventually("the TSU sees it too", || match broken() {
            Some(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        assert_eq!(rig.monitor.sigterm().code(), Some(0), "{}", rig.monitor.tail());
        let record = Log::of_monitor(rig.layout()).read(None);
        let is_broken = |event: &Event| {
            matches!(event, Event::PeerBroken(PeerBroken { cause: EndingCause::Rollback, .. }))
        };
        assert!(record.leaves.iter().any(|leaf| is_broken(&leaf.event)), "it is on record");
        return;
    }
    panic!("in none of {ATTEMPTS} attempts did the copy lie where it should");
}
