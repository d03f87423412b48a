//! What stands against a plan and is not seen in what exists: each kind is asked about what the plan makes of it.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use wharf_engine::{Action, Blocker, Plan, PlanError};

use super::{Error, Session};
use crate::aws::{AnyKind, Wanted};

impl Session {
    /// Refuses a plan that cannot be carried out. One that makes nothing asks nothing.
    pub(super) async fn passable(&self, plan: &Plan) -> Result<(), Error> {
        let mut new: BTreeMap<&str, Wanted> = BTreeMap::new();
        for step in &plan.steps {
            if let Action::Create { inputs, .. } = &step.action {
                new.entry(&step.kind).or_default().insert(step.id.clone(), inputs.clone());
            }
        }
        let asked = new.into_iter().filter_map(|(kind, new)| Some(self.against(self.kinds.get(kind)?, new)));
        let mut blockers: Vec<Blocker> = try_join_all(asked).await?.into_iter().flatten().collect();
        if blockers.is_empty() {
            return Ok(());
        }
        blockers.sort();
        Err(PlanError::Blocked(blockers).into())
    }

    async fn against(&self, kind: &dyn AnyKind, new: Wanted) -> Result<Vec<Blocker>, Error> {
        let found = kind.obstacles(&self.aws, new).await.map_err(Error::Sweep)?;
        let hopeless = found.into_iter().map(|obstacle| Blocker::Hopeless {
            id: obstacle.id,
            kind: kind.rules().kind,
            why: obstacle.why,
        });
        Ok(hopeless.collect())
    }
}
