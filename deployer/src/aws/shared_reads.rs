//! Reads that several kinds begin with, such as the list of load balancers for these, their listeners and their rules:
//! in one sweep each is made once, and all of them see the same answer.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::call::{Aws, CallError};

/// A read, by what it is about and the type of its answer.
type Read = (&'static str, TypeId);

/// The answers of a sweep.
#[derive(Debug, Default)]
pub(super) struct SharedReads(Mutex<BTreeMap<Read, Arc<dyn Any + Send + Sync>>>);

impl SharedReads {
    fn cell<T: Send + Sync + 'static>(&self, what: &'static str) -> Arc<OnceCell<T>> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = cells.entry((what, TypeId::of::<T>())).or_insert_with(|| Arc::new(OnceCell::<T>::new()));
        // The key holds the type, so another one is never found; it would be a read of its own.
        Arc::clone(cell).downcast().unwrap_or_default()
    }
}

/// The answer to a read of `what`: within a sweep that of whoever asked first. A read that failed is made again for the
/// next; outside of sweeps each look is as fresh as AWS tells.
pub(super) async fn once<T>(
    aws: &Aws,
    what: &'static str,
    read: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError>
where
    T: Clone + Send + Sync + 'static,
{
    match aws.shared_reads() {
        Some(reads) => reads.cell(what).get_or_try_init(|| read).await.cloned(),
        None => read.await,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::aws::testing::World;

    #[tokio::test(start_paused = true)]
    async fn a_read_is_made_once_in_a_sweep_and_each_time_outside() {
        let world = World::calm().await;
        let made = Cell::new(0);
        let read = || async {
            tokio::task::yield_now().await;
            made.set(made.get() + 1);
            Ok(made.get())
        };
        let sweep = world.aws.sweeping();
        let both = futures::join!(once(&sweep, "things", read()), once(&sweep, "things", read()));
        assert_eq!(both, (Ok(1), Ok(1)));
        assert_eq!(once(&sweep, "other things", read()).await, Ok(2));
        assert_eq!(once(&world.aws.sweeping(), "things", read()).await, Ok(3));
        assert_eq!(once(&world.aws, "things", read()).await, Ok(4));
        assert_eq!(once(&world.aws, "things", read()).await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_failed_is_made_again() {
        let sweep = World::calm().await.aws.sweeping();
        let failed = once::<u8>(&sweep, "things", async { Err(CallError::ours("no answer")) }).await;
        assert!(failed.is_err());
        assert_eq!(once(&sweep, "things", async { Ok(1_u8) }).await, Ok(1));
    }
}
