//! An alarm becomes a message in Slack and on SNS.
