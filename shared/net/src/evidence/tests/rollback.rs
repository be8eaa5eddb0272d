//! Logs that are sound by themselves but not the one that is known.

use super::*;

#[test]
fn a_log_rolled_back_or_rewritten_is_found_by_whoever_knows_it() {
    let texts = ["one", "two", "three", "four"];
    let write = |texts: &[&str]| {
        let bench = Bench::new();
        let owner = bench.create().expect("created");
        let mut copies = vec![bench.disk.durable_copy()];
        for text in texts {
            owner.log().append_blocking(entries(&[text])).expect("written");
            copies.push(bench.disk.durable_copy());
            bench.age();
        }
        let head = owner.log().head();
        owner.close();
        (copies, known(head))
    };
    let (copies, known) = write(&texts);
    for (batches, copy) in copies.into_iter().enumerate() {
        let opened = Bench::on(copy).open(&known).map(|(owner, _)| owner.close());
        if batches == texts.len() {
            opened.expect("it is the newest");
        } else {
            assert!(matches!(refused(opened), Refused::Smaller { .. }), "{batches}");
        }
    }
    for fork in [&["one", "two", "other", "four"][..], &["one", "two", "three", "other", "more"]] {
        let (mut copies, _) = write(fork);
        let forked = Bench::on(copies.pop().expect("the last"));
        forked.survey(&[]).expect("a sound log by itself");
        assert!(matches!(refused(forked.open(&known)), Refused::OtherRoot { .. }), "{fork:?}");
    }
    // Another origin's log in this one's place.
    let (mut copies, _) = write(&texts);
    let copy = copies.pop().expect("the last");
    let other = Survey::take(&copy, folder(), "test.example/other", &[]);
    let fault = HeaderFault::Origin;
    assert_eq!(refused(other), Refused::Header { segment: LeafIndex::new(0), fault });
}
