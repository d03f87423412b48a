//! A sandbox on a port, for clients that nobody here wrote.

use std::thread::JoinHandle;

use tokio::sync::oneshot;
use wharf_sandbox::{Sandbox, SimClock, Weather, serve};

/// A sandbox that is served. Dropping it ends the service.
#[derive(Debug)]
pub struct Served {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The endpoint for every service.
    pub url: String,
    /// The account that is served.
    pub sandbox: Sandbox,
}

impl Served {
    /// Serves a copy of an account as it is at this moment, in calm weather, its time going `speed` times as fast.
    #[must_use]
    pub fn copy_of(sandbox: &Sandbox, speed: f64) -> Self {
        let moment = sandbox.now();
        let original = sandbox.clone();
        let (ready, listening) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let copy = original.fork_with_clock(SimClock::new(moment).at_speed(speed));
                copy.set_weather(Weather { latency: std::time::Duration::ZERO, ..Weather::calm() });
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
                let address = listener.local_addr().expect("a listener has an address");
                ready.send((format!("http://{address}"), copy.clone())).expect("the test waits");
                tokio::select! {
                    served = serve(copy, listener) => served.expect("the sandbox is served"),
                    _ = stopped => {}
                }
            });
        });
        let (url, sandbox) = listening.recv().expect("the sandbox is served");
        Self { stop: Some(stop), thread: Some(thread), url, sandbox }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The thread may have ended by itself.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
