//! One call from request to reply: weather, throttling, authorisation, the handler, the log.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::account::{Account, Ctx};
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::principal::Principal;
use crate::record::{CallRecord, Ending, Exchange};
use crate::services::lambda::WAITS;
use crate::services::{self, Operation, Service};
use crate::weather::{CallInfo, Fate};
use crate::wire::{self, Call, Protocol, Request, Response};

/// What the caller of a request gets, and after how long.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) latency: Duration,
    pub(crate) delivery: Delivery,
    /// An answer that is still to come, in place of the delivery.
    pub(crate) waits: Option<Box<Waiting>>,
}

/// A call whose answer is that of an invocation.
#[derive(Debug)]
pub(crate) struct Waiting {
    invocation: String,
    /// Whether the caller wants the end of the invocation's log.
    tail: bool,
    call: Call,
    request: Request,
}

/// Whether an answer arrives.
#[derive(Debug)]
pub(crate) enum Delivery {
    Answer(Response),
    /// The connection failed before the request arrived.
    NeverArrived,
    /// The request arrived and had its effect; the answer did not come back.
    ReplyLost,
}

/// A request that was understood, with what answers it.
pub(crate) struct Routed {
    pub(crate) call: Call,
    pub(crate) service: &'static Service,
    pub(crate) operation: &'static Operation,
    pub(crate) principal: Principal,
    pub(crate) info: CallInfo,
}

impl Account {
    /// Lets everything happen that was due by `now`, in order.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        while let Some((due, timer)) = self.store.next_due(now) {
            let service = timer.kind.split('.').next().unwrap_or(timer.kind);
            if let Some(service) = services::find(service) {
                (service.on_timer)(&mut self.ctx(due, service), &timer);
            }
            self.watch(due);
        }
    }

    /// Lets alarms and pollers see what has changed.
    pub(crate) fn watch(&mut self, now: Timestamp) {
        if self.watched != self.store.version {
            services::monitoring::watch(&mut self.ctx(now, &services::monitoring::SERVICE));
            services::lambda::look(&mut self.ctx(now, &services::lambda::SERVICE));
            self.watched = self.store.version;
        }
    }

    pub(crate) fn ctx(&mut self, now: Timestamp, service: &Service) -> Ctx<'_> {
        let principal = Principal::Deployer;
        Ctx { account: self, now, granted: Vec::new(), denied_as: service.denied, principal }
    }

    /// Understands a request and gives the call its number; what cannot be understood is answered here.
    pub(crate) fn route(&mut self, request: &Request) -> Result<Routed, Response> {
        let call = match wire::decode(request) {
            Ok(call) => call,
            Err((protocol, error)) => {
                let id = self.rng.uuid();
                return Err(wire::encode_error(protocol, "", &error, &id));
            }
        };
        let found = services::find(&call.service);
        let refuse = |account: &mut Self, error: ApiError| {
            let id = account.rng.uuid();
            account.record(
                &call.service,
                &call.operation,
                request,
                wire::encode_error(call.protocol, found.map_or("", |s| s.namespace), &error, &id),
            )
        };
        let Some(service) = found else {
            return Err(refuse(self, ApiError::not_simulated(format!("{}.{}", call.service, call.operation))));
        };
        let Some(operation) = service.operations.iter().find(|o| o.name == call.operation) else {
            return Err(refuse(self, ApiError::not_simulated(format!("{}.{}", call.service, call.operation))));
        };
        if !service.global && call.region != self.region {
            let message =
                format!("{} in region {}: this account lives in {} only", call.service, call.region, self.region);
            return Err(refuse(self, ApiError::not_simulated(message)));
        }
        self.calls += 1;
        let info = CallInfo {
            n: self.calls,
            service: call.service.clone(),
            operation: call.operation.clone(),
            write: operation.write,
        };
        let principal = Principal::of(self, wire::access_key(request).unwrap_or_default());
        Ok(Routed { call, service, operation, principal, info })
    }

    /// Carries a call out under the fate that it has.
    pub(crate) fn perform(&mut self, request: &Request, routed: &Routed, fate: Fate, now: Timestamp) -> Reply {
        self.settle(now);
        let latency = self.rng.spread(self.weather.latency);
        let input = Input::new(routed.service.name, routed.call.input.clone());
        let fate = self.forecast(routed, &input, fate, now);
        let mut granted = Vec::new();
        let outcome = match fate {
            Fate::RefuseBefore => {
                self.log(routed, now, granted, Ending::NeverArrived);
                return Reply { latency, delivery: Delivery::NeverArrived, waits: None };
            }
            Fate::Throttle => Err((routed.service.throttled)()),
            Fate::ServerError => Err(server_error(routed.call.protocol)),
            Fate::Normal | Fate::Spared | Fate::LoseReply => self.execute(routed, &input, now, &mut granted),
        };
        if let (Ok(output), Fate::Normal | Fate::Spared) = (&outcome, fate)
            && let Some(invocation) = output[WAITS].as_str().map(str::to_owned)
        {
            self.log(routed, now, granted, Ending::Done);
            let (call, request) = (routed.call.clone(), request.clone());
            let waits = Waiting { invocation, tail: output["_tail"] == true, call, request };
            return Reply { latency, delivery: Delivery::ReplyLost, waits: Some(Box::new(waits)) };
        }
        let id = self.rng.uuid();
        let (response, ending) = match &outcome {
            Ok(output) => (wire::encode(&routed.call, routed.service.namespace, output, &id), Ending::Done),
            Err(error) => (
                wire::encode_error(routed.call.protocol, routed.service.namespace, error, &id),
                Ending::Refused(error.code.clone()),
            ),
        };
        let response = self.record(&routed.call.service, &routed.call.operation, request, response);
        let (delivery, ending) = match (fate, ending) {
            (Fate::LoseReply, Ending::Done) => (Delivery::ReplyLost, Ending::ReplyLost),
            (Fate::LoseReply, ending) => (Delivery::ReplyLost, ending),
            (_, ending) => (Delivery::Answer(response), ending),
        };
        self.log(routed, now, granted, ending);
        Reply { latency, delivery, waits: None }
    }

    /// The answer that a call waits for, once it is there.
    pub(crate) fn arrived(&mut self, waiting: &Waiting) -> Option<Response> {
        let mut output = services::lambda::work::outcome(&self.store, &waiting.invocation)?;
        if !waiting.tail {
            output["LogResult"] = Value::Null;
        }
        let id = self.rng.uuid();
        let response = wire::encode(&waiting.call, "", &output, &id);
        Some(self.record(&waiting.call.service, &waiting.call.operation, &waiting.request, response))
    }

    /// What the weather makes of a call that no hook has decided about.
    fn forecast(&mut self, routed: &Routed, input: &Input, fate: Fate, now: Timestamp) -> Fate {
        if fate != Fate::Normal {
            return fate;
        }
        let bucket = (routed.service.bucket)(routed.operation, input);
        if self.weather.buckets && !self.take(bucket, now) {
            return Fate::Throttle;
        }
        let (throttles, errors, lost) = (self.weather.throttles, self.weather.server_errors, self.weather.lost_replies);
        if self.rng.chance(throttles) {
            Fate::Throttle
        } else if self.rng.chance(errors) {
            Fate::ServerError
        } else if routed.operation.write && self.rng.chance(lost) {
            Fate::LoseReply
        } else {
            Fate::Normal
        }
    }

    /// Runs the handler. A call that is refused leaves nothing behind.
    fn execute(
        &mut self,
        routed: &Routed,
        input: &Input,
        now: Timestamp,
        granted: &mut Vec<(String, String)>,
    ) -> Outcome {
        let (service, operation) = (routed.service, routed.operation);
        let dry_run = service.name == "ec2" && input.bool_or("DryRun", false)?;
        self.store.begin();
        let mut ctx = self.ctx(now, service);
        ctx.principal = routed.principal.clone();
        let outcome = (|| {
            if let Some(action) = operation.action.filter(|action| !action.is_empty()) {
                ctx.authorise(Grant::new(format!("{}:{action}", service.name), "*"))?;
            }
            let output = (operation.handler)(&mut ctx, input)?;
            if operation.action.is_none() && ctx.granted.is_empty() {
                let fault = format!(
                    "{}.{} demanded no permission; this is a fault of the sandbox",
                    service.name, operation.name
                );
                return Err(ApiError::with_status(501, "SandboxFault", fault));
            }
            match input.unread().as_slice() {
                [] if dry_run => Err(ApiError::with_status(
                    412,
                    "DryRunOperation",
                    "Request would have succeeded, but DryRun flag is set.",
                )),
                [] => Ok(output),
                unread => Err(ApiError::not_simulated(format!(
                    "parameter {} of {}.{}",
                    unread.join(", "),
                    service.name,
                    operation.name
                ))),
            }
        })();
        granted.append(&mut ctx.granted);
        match &outcome {
            Ok(_) => self.store.keep(),
            Err(_) => self.store.take_back(),
        }
        self.watch(now);
        outcome
    }

    fn log(&mut self, routed: &Routed, at: Timestamp, authorised: Vec<(String, String)>, ending: Ending) {
        let CallInfo { n, service, operation, write } = routed.info.clone();
        let principal = routed.principal.arn(self);
        self.log.push(CallRecord { n, principal, service, operation, write, at, authorised, ending });
    }

    fn record(&mut self, service: &str, operation: &str, request: &Request, response: Response) -> Response {
        if let Some(recording) = &mut self.recording {
            recording.push(Exchange::new(service, operation, request, &response));
        }
        response
    }
}

fn server_error(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::Ec2 => {
            ApiError::with_status(503, "Unavailable", "The service is unavailable. Please try again shortly.")
        }
        Protocol::Query | Protocol::RestXml | Protocol::S3 => ApiError::with_status(
            500,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
        Protocol::Json10 | Protocol::Json11 | Protocol::Cbor | Protocol::RestJson => ApiError::with_status(
            500,
            "InternalServerError",
            "The request processing has failed because of an unknown error.",
        ),
    }
}

/// An empty answer for operations that say only that they worked.
pub(crate) fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// The same of a query service's operation whose result has no members: its element is there, and empty.
pub(crate) fn empty_result() -> Value {
    Value::Null
}
