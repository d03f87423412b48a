//! What checks each day that everything could be restored.

use std::collections::BTreeMap;

use serde_json::json;
use wharf_check_snapshots::{ACTIONS, PARTITION, variable};

use super::{Made, One, Settings};
use crate::aws::lambda::function::Invocations;
use crate::aws::policy::Statement;
use crate::aws::units::Seconds;
use crate::platform::{BuildError, Builder, checks};

impl One<'_> {
    pub(super) fn check_snapshots(&self, b: &mut Builder) -> Result<Made, BuildError> {
        let demands = json!(checks::demands(self.ground.config));
        let settings = Settings {
            description: "checks the snapshots",
            timeout: Seconds(300),
            memory: 256,
            concurrency: None,
            invocations: Some(Invocations { retries: 2, max_age: Seconds(3600), on_failure: None }),
            env: BTreeMap::from([(variable::CHECKS, demands.to_string().into())]),
        };
        let function = self.make(b, settings, self.may_check())?;
        Ok(Made { function, queues: None })
    }

    /// It reads what there is to restore from, and says so.
    fn may_check(&self) -> Vec<Statement> {
        vec![
            // Whatever there is: AWS offers nothing narrower, and what is not the stack's own may use a key of its own.
            Statement::allow(ACTIONS.iter().copied()).on("*"),
            self.remember(&["dynamodb:GetItem", "dynamodb:PutItem"], PARTITION),
            Self::tell(&self.ground.signals.arn()),
        ]
    }
}
