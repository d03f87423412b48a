//! Invoke: run a function and wait, have it run, or only ask whether one might.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use serde_json::{Value, json};

use super::{asynchronous, ill_formed, life, name, work};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::wire::rest::STATUS;

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
const LONGEST: usize = 6_291_456;
/// The member of an answer that is still to come: the invocation that has it.
pub(crate) const WAITS: &str = "_waits";

pub(super) fn invoke(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (_, function) = name::permitted(ctx, input, "InvokeFunction")?;
    let kind = input.opt_str("InvocationType").unwrap_or("RequestResponse");
    let tail = match input.opt_str("LogType").unwrap_or("None") {
        "None" => false,
        "Tail" => true,
        other => return Err(ill_formed(other, "logType", "satisfy enum value set: [None, Tail]")),
    };
    let payload = match input.opt_str("Payload").unwrap_or_default() {
        "" => "{}",
        payload => payload,
    };
    if payload.len() > LONGEST {
        let message = format!("Request must be smaller than {LONGEST} bytes for the InvokeFunction operation");
        return Err(ApiError::with_status(413, "RequestTooLargeException", message));
    }
    if let Err(error) = serde_json::from_str::<Value>(payload) {
        let message = format!("Could not parse request body into json: Could not parse payload into json: {error}");
        return Err(refuse("InvalidRequestContentException", message).member("Type", "User"));
    }
    match kind {
        "RequestResponse" => {
            let Some(function) = life::in_force(&function) else { return life::idle(&function).map(|()| Value::Null) };
            if !ctx.account.hosted.contains(&function.id) {
                let what = format!("the code of {}: no host runs it here", function.id);
                return Err(ApiError::not_simulated(what));
            }
            Ok(json!({WAITS: work::begin(ctx, &function, payload, work::Origin::Call)?, "_tail": tail}))
        }
        "Event" => {
            asynchronous::accept(ctx, &function, payload)?;
            Ok(json!({STATUS: 202, "Payload": ""}))
        }
        "DryRun" => Ok(json!({STATUS: 204})),
        other => Err(ill_formed(other, "invocationType", "satisfy enum value set: [Event, RequestResponse, DryRun]")),
    }
}
