//! What stands against a plan and is not seen in what exists: each kind is asked about what the plan makes of it.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use wharf_engine::{Action, Blocker, LogicalId, Plan, PlanError, Step};

use super::restore::DATABASE;
use super::{Error, Session};
use crate::aws::kind::Kind;
use crate::aws::rds::instance::restored::{self, Part};
use crate::aws::rds::subnet_group::SubnetGroup;
use crate::aws::{AnyKind, CallError, Wanted};

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
        let (asked, beside) = futures::try_join!(try_join_all(asked), self.beside_the_database(plan))?;
        let mut blockers: Vec<Blocker> = asked.into_iter().flatten().chain(beside).collect();
        if blockers.is_empty() {
            return Ok(());
        }
        blockers.sort();
        Err(PlanError::Blocked(blockers).into())
    }

    /// A database that a restore has put aside, or one that it has not finished, stands in the stack's subnets and is in
    /// no plan: nothing of what they stand on can go before them.
    async fn beside_the_database(&self, plan: &Plan) -> Result<Vec<Blocker>, Error> {
        let goes = |step: &&Step| step.kind == SubnetGroup::RULES.kind && matches!(step.action, Action::Delete { .. });
        let Some(group) = plan.steps.iter().find(goes) else { return Ok(Vec::new()) };
        let id = LogicalId::new(DATABASE).map_err(|error| Error::Sweep(CallError::ours(error)))?;
        let members = restored::members(&self.aws, &id).await.map_err(Error::Sweep)?;
        let stays = members.into_iter().filter_map(|member| {
            let why = match &member.part {
                Part::Current => return None,
                Part::Restoring(word) => {
                    format!(
                        "a restore ({word}) was begun and has not come to its end: carry it on, or delete {}",
                        member.name
                    )
                }
                Part::Kept(_) => format!(
                    "{0} was kept when the database was restored, and stands in it: delete it first (`aws rds \
                     modify-db-instance --db-instance-identifier {0} --no-deletion-protection`, then `aws rds \
                     delete-db-instance --db-instance-identifier {0} --final-db-snapshot-identifier {0}-final`)",
                    member.name
                ),
            };
            let physical = group.action.physical().unwrap_or_default().to_owned();
            Some(Blocker::Refused { id: group.id.clone(), kind: SubnetGroup::RULES.kind, physical, why })
        });
        Ok(stays.collect())
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
