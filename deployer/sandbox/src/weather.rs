//! How badly AWS behaves today: stale reads, lost replies, throttling, server errors, latency.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::rng::Rng;

/// What the account does besides answering.
#[derive(Clone, Debug, PartialEq)]
pub struct Weather {
    /// The longest that a change stays invisible to reads of an eventually consistent service; zero for none.
    pub stale_reads: Duration,
    /// The share of writes whose effect happens and whose reply never arrives.
    pub lost_replies: f64,
    /// The share of calls refused as too many, whatever their rate.
    pub throttles: f64,
    /// Whether the published token buckets are kept.
    pub buckets: bool,
    /// The share of calls that fail on AWS's side before any effect.
    pub server_errors: f64,
    /// The typical time a call takes; each takes up to 30 % more or less.
    pub latency: Duration,
    /// How long AWS takes to do what it has accepted, as a share of the typical time.
    pub pace: f64,
    /// The share of events and messages that come a second time.
    pub duplicates: f64,
    /// The longest that an event is under way, by which it may be overtaken; with none, what is sent first comes first.
    pub disorder: Duration,
    /// The share of events that never come, of those that AWS sends as best it can.
    pub lost_events: f64,
}

impl Weather {
    /// An ordinary day: reads lag by up to four seconds, about one call in a hundred goes wrong somehow.
    pub fn typical() -> Self {
        Self {
            stale_reads: Duration::from_secs(4),
            lost_replies: 0.01,
            throttles: 0.01,
            buckets: true,
            server_errors: 0.002,
            latency: Duration::from_millis(50),
            pace: 1.0,
            duplicates: 0.01,
            disorder: Duration::from_secs(2),
            lost_events: 0.0,
        }
    }

    /// Nothing goes wrong and nothing lags: only for a test that asks for it.
    pub fn calm() -> Self {
        Self {
            stale_reads: Duration::ZERO,
            lost_replies: 0.0,
            throttles: 0.0,
            buckets: false,
            server_errors: 0.0,
            latency: Duration::from_millis(20),
            pace: 1.0,
            duplicates: 0.0,
            disorder: Duration::ZERO,
            lost_events: 0.0,
        }
    }

    /// How long a change of `kind` stays invisible. Strongly consistent services have no lag.
    pub(crate) fn lag(&self, kind: &str, rng: &mut Rng) -> Duration {
        let service = kind.split('.').next().unwrap_or(kind);
        let longest = match service {
            "ec2" | "iam" | "elasticloadbalancing" | "autoscaling" | "tagging" => self.stale_reads,
            "rds" => self.stale_reads / 4,
            // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
            "sqs" if kind == "sqs.queue" => self.stale_reads / 4,
            // <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
            "events" if kind == "events.rule" => self.stale_reads / 4,
            // Only reads that do not ask for `ConsistentRead` see it.
            "dynamodb" if kind == "dynamodb.item" => self.stale_reads / 4,
            _ => Duration::ZERO,
        };
        // Most changes are seen at once; the rest are what surprises.
        if longest.is_zero() || rng.chance(0.5) { Duration::ZERO } else { longest.mul_f64(rng.unit()) }
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self::typical()
    }
}

/// One call, as a hook sees it before anything has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// The number of the call in this account, from 1.
    pub n: u64,
    /// The service's signing name, such as `ec2`.
    pub service: String,
    /// The operation's name, such as `CreateVpc`.
    pub operation: String,
    /// Whether the operation changes anything.
    pub write: bool,
}

/// What a hook decides about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The weather decides.
    Normal,
    /// Nothing goes wrong with this call, whatever the weather.
    Spared,
    /// The connection fails before any effect.
    RefuseBefore,
    /// The effect happens, the reply is lost.
    LoseReply,
    /// Refused as one call too many.
    Throttle,
    /// AWS fails before any effect.
    ServerError,
}

/// A hook asked about every call.
pub(crate) type Hook = Arc<dyn Fn(&CallInfo) -> Fate + Send + Sync>;

/// Wraps a hook, only so that what holds it can be printed.
#[derive(Clone)]
pub(crate) struct Hooked(pub(crate) Hook);

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}

/// A published rate: `burst` calls at once, refilled at `rate` a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) name: &'static str,
    pub(crate) burst: f64,
    pub(crate) rate: f64,
}
