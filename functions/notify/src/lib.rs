//! A notice to Slack and SNS.
