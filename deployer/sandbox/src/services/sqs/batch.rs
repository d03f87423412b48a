//! Requests with up to ten entries, of which each succeeds or fails by itself.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api-actions.html>

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::shaped;
use crate::error::{ApiError, Outcome};
use crate::input::Input;

const MOST: usize = 10;

fn wrong(name: &str, message: impl Into<String>) -> ApiError {
    shaped(400, &format!("AWS.SimpleQueueService.{name}"), name, message)
}

/// The entries of a batch, which are sound as a batch.
pub(super) fn entries(input: &Input) -> Result<Vec<(String, Input)>, ApiError> {
    let entries = input.objects("Entries");
    if entries.is_empty() {
        return Err(wrong("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if entries.len() > MOST {
        let message = format!("Maximum number of entries per request are {MOST}. You have sent {}.", entries.len());
        return Err(wrong("TooManyEntriesInBatchRequest", message));
    }
    let mut seen = BTreeSet::new();
    let mut sound = Vec::new();
    for entry in entries {
        let id = entry.opt_str("Id").unwrap_or_default().to_owned();
        if id.is_empty() || id.len() > 80 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
            return Err(wrong("InvalidBatchEntryId", message));
        }
        if !seen.insert(id.clone()) {
            return Err(wrong("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
        sound.push((id, entry));
    }
    Ok(sound)
}

/// A batch whose messages are together longer than one may be.
pub(super) fn within(longest: usize, sent: usize) -> Result<(), ApiError> {
    if sent > longest {
        let message = format!("Batch requests cannot be longer than {longest} bytes. You have sent {sent} bytes.");
        return Err(wrong("BatchRequestTooLong", message));
    }
    Ok(())
}

/// What became of each entry. Lists without anything in them are left out.
pub(super) fn answer(outcomes: Vec<(String, Outcome)>) -> Value {
    let mut answer = json!({});
    for (id, outcome) in outcomes {
        let (list, mut entry) = match outcome {
            Ok(entry) => ("Successful", entry),
            Err(error) => {
                let fault = error.status < 500;
                ("Failed", json!({"Code": error.code, "Message": error.message, "SenderFault": fault}))
            }
        };
        entry["Id"] = id.into();
        match answer[list].as_array_mut() {
            Some(entries) => entries.push(entry),
            None => answer[list] = json!([entry]),
        }
    }
    answer
}
