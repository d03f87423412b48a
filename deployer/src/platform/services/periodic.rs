//! Periodic tasks: run by EventBridge Scheduler, each time from the newest revision.

use super::One;
use crate::aws::ecs::task_definition::TaskDefinition;
use crate::aws::iam::role::Role;
use crate::aws::policy::{Document, Statement};
use crate::aws::scheduler::group::ScheduleGroup;
use crate::aws::scheduler::schedule::Schedule;
use crate::aws::units::{HOUR, Seconds};
use crate::aws::{Handle, Text};
use crate::platform::{BuildError, Builder, trust};

impl One<'_> {
    /// The schedule and the role by which it starts the task.
    pub(super) fn schedule(
        &self,
        b: &mut Builder,
        group: &Handle<ScheduleGroup>,
        task: &Handle<TaskDefinition>,
        passed: [&Handle<Role>; 2],
    ) -> Result<(), BuildError> {
        let role = b.add(&self.id("schedule-role"), self.schedule_role(b, task, passed))?;
        let ground = self.ground;
        let schedule = Schedule {
            group: group.name(),
            expression: self.wanted.schedule.clone().unwrap_or_default(),
            timezone: self.wanted.time_zone.clone(),
            enabled: true,
            stays: true,
            window_minutes: None,
            description: format!("runs {}", self.name),
            role: role.arn(),
            message: None,
            cluster: Some(ground.cluster.cluster.arn()),
            task_definition: Some(task.family_arn()),
            tasks: 1,
            strategy: ground.cluster.strategy(),
            launch_type: None,
            subnets: ground.network.private.iter().map(|subnet| subnet.id()).collect(),
            security_groups: vec![ground.network.tasks.id()],
            public_ip: false,
            exec: self.wanted.exec,
            propagate_tags: true,
            retries: 3,
            max_age: Seconds(3600),
            dead_letter: None,
            key: None,
        };
        // So that instances are there to take the task.
        b.add_after(&self.id("schedule"), schedule, [ground.cluster.size.logical_id().clone()])?;
        Ok(())
    }

    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/tasks-scheduled-eventbridge-scheduler.html>
    fn schedule_role(&self, b: &Builder, task: &Handle<TaskDefinition>, passed: [&Handle<Role>; 2]) -> Role {
        let cluster = self.ground.cluster.cluster.arn().text();
        let family = task.family_arn().text();
        let run = Statement::allow(["ecs:RunTask"]).on(family.clone()).on(Text::join([family, ":*".into()])).when(
            "ArnEquals",
            "ecs:cluster",
            cluster,
        );
        let pass = passed.iter().fold(Statement::allow(["iam:PassRole"]), |all, role| all.on(role.arn().text()));
        let pass = pass.when("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com");
        let site = self.ground.site;
        let tasks = format!("arn:{}:ecs:{}:{}:task/{}/*", site.partition, site.region, site.account, self.stack());
        let tag = Statement::allow(["ecs:TagResource"]).on(tasks).when("StringEquals", "ecs:CreateAction", "RunTask");
        Role {
            name: format!("{}-{}-schedule", self.stack(), self.name),
            description: format!("starts {}", self.name),
            trust: trust::by(
                "scheduler.amazonaws.com",
                site,
                "scheduler",
                &format!("schedule-group/wharf-{}", self.stack()),
            ),
            policies: [("run".to_owned(), Document::new([run, pass, tag]).text())].into(),
            managed: Vec::new(),
            max_session: HOUR,
            boundary: None,
            tags: b.tags(),
        }
    }
}
