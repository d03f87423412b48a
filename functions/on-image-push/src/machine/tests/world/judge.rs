//! What must hold in a world: at each moment, and at the end.

use super::{Apply, LEAST, Progress, Scenario, World};
use crate::record::Status;

impl World {
    /// The laws about telling ECS of a pushed image.
    pub(super) fn told_of(&mut self, revision: usize, scenario: &Scenario) {
        let image = self.revisions[revision].image;
        let tag = self.record.as_ref().unwrap().rollout.as_ref().unwrap().tag.clone().unwrap();
        let push: usize = tag.trim_start_matches('t').parse().unwrap();
        assert_eq!(scenario.pushes[push], image, "what is brought out was pushed");
        assert!(
            self.told.iter().all(|before| *before < push),
            "an older push came after a newer one: {:?} {push}",
            self.told
        );
        if let Some(failing) = scenario.commands {
            assert!(!failing.contains(&image), "its command has failed");
            let ended = self.tasks.iter().any(|task| task.image == image && task.progress == Progress::Done);
            assert!(ended, "its command has not run");
        }
        self.told.push(push);
    }

    /// Whether nothing has come of what happened since.
    pub(in super::super) fn same_as(&self, before: &Self) -> bool {
        (&self.record, self.runs, self.desired) == (&before.record, before.runs, before.desired)
    }

    /// What must hold when all is quiet and the schedule has looked.
    pub(in super::super) fn judge(&self, scenario: &Scenario) {
        let record = self.record.as_ref().unwrap();
        assert!(record.holder.is_none() && record.next.is_none() && record.untold.is_empty(), "{record:#?}");
        assert!(record.all().all(|rollout| !rollout.status.is_open()), "{record:#?}");
        let last = scenario.pushes.len() - 1;
        assert_eq!(record.decided.as_ref(), Some(&scenario.push(last).moment));
        let newest = scenario.pushes[last];
        let rollout = record.rollout.as_ref().unwrap();
        assert_eq!(rollout.digest, newest.to_string(), "the newest push by its own time is the last decision");
        let fails =
            scenario.bad.contains(&newest) || scenario.commands.is_some_and(|failing| failing.contains(&newest));
        let runs = &self.revisions[self.runs];
        if fails {
            assert!(matches!(rollout.status, Status::Failed | Status::RolledBack), "{rollout:#?}");
            assert!(rollout.why.is_some());
            assert!(runs.image != newest || self.desired == 0, "what fails does not stay");
            assert!(self.notices.contains(&format!("rollout web {} failed", rollout.run)), "{:?}", self.notices);
            assert!(
                !scenario.first || runs.image != '0' || self.desired == 0,
                "nothing to go back to is no task at all"
            );
        } else {
            assert_eq!((rollout.status, runs.image, self.desired), (Status::Settled, newest, LEAST));
            assert_eq!(self.lower_bound, LEAST, "what runs does not scale back to no task");
            // What ran already when it was pushed is no rollout to tell of.
            let told = |phase: &str| self.notices.contains(&format!("rollout web {} {phase}", rollout.run));
            assert!(told("settled") || !told("begun"), "{:?}", self.notices);
            // What crashes makes ECS go back to what completed last, which may have been before the apply.
            if self.apply == (Apply::Over { told: true }) && scenario.bad.is_empty() {
                assert_eq!(runs.setting, 1, "what was applied stays");
            }
        }
        for image in scenario.pushes {
            let pushed = scenario.pushes.iter().filter(|other| *other == image).count();
            let told = self.told.iter().filter(|push| scenario.pushes[**push] == *image).count();
            assert!(told <= pushed, "{image} was pushed {pushed} times and brought out {told} times");
        }
    }
}
