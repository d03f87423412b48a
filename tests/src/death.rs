//! Processes that die at a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use wharf_sandbox::Fate;

use crate::stack::World;

/// Where a process dies: at the call of this number, which ends like this.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// The number.
    pub call: u64,
    /// How the call ends.
    pub fate: Fate,
}

impl Death {
    /// Lets something run in an account until the call at which its process dies. False when it ended before.
    pub async fn during<T>(self, world: &World, run: impl Future<Output = T>) -> bool {
        let (killed, reached) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (notify, mark) = (Arc::clone(&killed), Arc::clone(&reached));
        world.sandbox.on_call(move |call| {
            if call.n < self.call {
                return Fate::Spared;
            }
            mark.store(true, Ordering::SeqCst);
            notify.notify_one();
            // Calls already on their way when the process dies still arrive, but nobody hears of them.
            if call.n == self.call { self.fate } else { Fate::LoseReply }
        });
        tokio::select! {
            biased;
            () = killed.notified() => {}
            _ = run => {}
        }
        world.sandbox.clear_hook();
        reached.load(Ordering::SeqCst)
    }
}
