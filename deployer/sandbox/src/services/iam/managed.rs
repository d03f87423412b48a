//! What policies that AWS manages say, for the roles that act here.
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use serde_json::{Value, json};

use crate::error::{ApiError, Outcome};

/// The document of a managed policy.
pub(super) fn document(arn: &str) -> Outcome {
    let name = arn.strip_prefix("arn:aws:iam::aws:policy/").unwrap_or(arn);
    let actions: &[&str] = match name {
        "AdministratorAccess" => &["*"],
        "service-role/AWSLambdaBasicExecutionRole" => {
            &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        }
        "service-role/AWSLambdaSQSQueueExecutionRole" => &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ],
        "AWSXRayDaemonWriteAccess" => &[
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:GetSamplingStatisticSummaries",
        ],
        other => return Err(ApiError::not_simulated(format!("what the AWS managed policy {other} allows"))),
    };
    Ok(statement(actions))
}

fn statement(actions: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
}
