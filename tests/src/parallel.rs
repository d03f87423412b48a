//! Many small worlds on the machine's processors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Does the same for each item, on two threads: each item's account and time are its own.
///
/// # Panics
/// When the work on an item does.
pub fn each<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> Vec<U> + Sync) -> Vec<U> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut all = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::SeqCst)) {
            all.extend(work(item));
        }
        all
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the work on each item ends well")).collect()
    })
}
