use super::*;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_thread_more_is_woken_for_more_than_one_holds() {
    // Nobody knows yet.
    assert!(is_worth(None, 1));
    assert!(!is_worth(None, 0));
    // P-256, and RSA-4096.
    assert!(!is_worth(Some(Bound::from_nanos(25_000)), 8));
    assert!(is_worth(Some(Bound::from_nanos(25_000)), 9));
    assert!(is_worth(Some(Bound::from_nanos(2_000_000)), 1));
    assert!(!is_worth(Some(Bound::from_nanos(2_000_000)), 0));
}

#[test]
fn a_signature_that_failed_says_nothing_of_how_long_one_takes() {
    let queue = Queue::<u8>::new();
    let took = Bound::from_millis(2);
    assert_eq!(queue.next_of_run(Some(took), true), None);
    assert_eq!(queue.next_of_run(None, true), None);
    assert_eq!(queue.lock().signature, Some(took));
}

#[test]
fn a_thread_that_takes_a_slow_one_wakes_the_next() {
    let queue = Arc::new(Queue::new());
    queue.lock().signature = Some(Bound::from_millis(2));
    let (tell, told) = channel();
    for _ in 0..3 {
        let (queue, tell) = (Arc::clone(&queue), tell.clone());
        // It takes one and no more.
        thread::spawn(move || queue.next().map(|job: u8| tell.send(job)));
    }
    while queue.lock().asleep < 3 {
        thread::yield_now();
    }
    assert!(queue.add([1, 2, 3].into_iter()));
    let mut taken = [(); 3].map(|()| told.recv_timeout(Duration::from_secs(30)).unwrap_or(0));
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3], "0: none was taken");
    queue.close();
}
