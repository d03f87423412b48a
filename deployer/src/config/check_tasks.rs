//! The rules of a service's tasks: how many, how checked, how renewed, when run, what allowed.

use super::Config;
use super::places::Places;
use super::problem::Problem;
use super::services::Service;
use super::tasks::{Deploy, RANGES_OF_A_RULE, Rollout};

/// What is wrong with the services' tasks.
pub(super) fn check(config: &Config, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, service) in &config.services {
        let look = Look { config, name, service, places };
        problems.extend(look.counts());
        problems.extend(look.scaling());
        problems.extend(look.health());
        problems.extend(look.deployment());
        problems.extend(look.rollout());
        problems.extend(look.periodic());
        problems.extend(look.permissions());
        problems.extend(look.size());
        problems.extend(look.read_only());
        problems.extend(look.ranges());
    }
    problems.extend(nothing_runs(config, places, &problems));
    problems.extend(instances(config, places));
    problems
}

/// One service, and where it stands.
struct Look<'a> {
    config: &'a Config,
    name: &'a str,
    service: &'a Service,
    places: &'a Places,
}

impl Look<'_> {
    fn path(&self, key: &str) -> String {
        format!("services.{}.{key}", self.name)
    }

    fn has(&self, key: &str) -> bool {
        self.places.has(&self.path(key))
    }

    /// A problem at a key that the file has.
    fn at_key(&self, key: &str, message: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem::error(message, self.places.key_at(&self.path(key)), label)
    }

    fn at_value(&self, key: &str, message: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem::error(message, self.places.value_at(&self.path(key)), label)
    }

    fn counts(&self) -> Option<Problem> {
        let tasks = &self.service.tasks;
        if tasks.min <= tasks.most() {
            return None;
        }
        let key = if self.has("tasks.max") { "tasks.max" } else { "tasks.min" };
        let message = format!("`{}` is below `{}`", self.path("tasks.max"), self.path("tasks.min"));
        let label = format!("{} at least, {} at most", tasks.min, tasks.most());
        Some(self.at_value(key, message, label).help(format!("write {} or more", tasks.min)))
    }

    fn scaling(&self) -> Option<Problem> {
        if self.has("scaling.requests_per_minute") && self.service.port.is_none() {
            let message = format!("`{}` has no `port`, so no requests to count", self.name);
            let problem = self.at_key("scaling.requests_per_minute", message, "requests of whom?");
            return Some(problem.help("leave it out: the tasks' CPU decides"));
        }
        if self.has("scaling") && !self.service.tasks.scale() {
            let message = format!("`{}` has nothing to decide", self.path("scaling"));
            let problem = self.at_key("scaling", message, format!("always {} tasks", self.service.tasks.min));
            let help = format!("add `tasks = {{ min = {0}, max = {1} }}`, or leave `scaling` out", 2, 6);
            return Some(problem.help(help));
        }
        None
    }

    fn health(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for key in ["health", "checks"] {
            if self.has(key) && self.service.port.is_none() {
                let message = format!("`{}` checks what has no `port`", self.path(key));
                let problem = self.at_key(key, message, "whom should the load balancer ask?");
                let help =
                    "give the service a `port`; what has none is checked inside the container by `health_command`";
                problems.push(problem.help(help));
            }
        }
        let checks = &self.service.checks;
        if checks.timeout_seconds >= checks.every_seconds {
            let message = format!("`{}` is not below `every_seconds`", self.path("checks.timeout_seconds"));
            let label = format!("{} s, asked every {} s", checks.timeout_seconds, checks.every_seconds);
            let problem = self.at_value("checks.timeout_seconds", message, label);
            problems.push(problem.help(format!("write at most {}", checks.every_seconds - 1)));
        }
        let command = &self.service.health_command;
        if let [first, ..] = command.as_slice()
            && !["CMD", "CMD-SHELL"].contains(&first.as_str())
        {
            let message = format!("`{}` does not say how it is run", self.path("health_command"));
            let problem = self.at_value("health_command.0", message, "neither `CMD` nor `CMD-SHELL`");
            let words: Vec<String> = command.iter().map(|word| format!("{word:?}")).collect();
            problems.push(problem.help(format!("write `[\"CMD\", {}]`", words.join(", "))));
        }
        problems
    }

    fn deployment(&self) -> Option<Problem> {
        let deploy = self.service.deploy;
        if !deploy.doubles() || (self.service.port.is_some() && self.config.edge.is_some()) {
            return None;
        }
        let message = format!("`{}` deploys as `{}` without a load balancer", self.name, deploy.as_str());
        let lacks = if self.service.port.is_none() { "`port`" } else { "`[edge]`" };
        let problem = self.at_value("deploy", message, format!("no requests that could move: {lacks} is missing"));
        Some(problem.help("write `deploy = \"rolling\"`, which needs none"))
    }

    /// A setting of another way of deploying would have no effect.
    fn rollout(&self) -> Vec<Problem> {
        let of = |key: &str| match key {
            "min_percent" | "max_percent" => &[Deploy::Rolling][..],
            "bake_minutes" => &[Deploy::BlueGreen, Deploy::Canary, Deploy::Linear],
            "canary_percent" => &[Deploy::Canary],
            "step_percent" => &[Deploy::Linear],
            _ => &[Deploy::Canary, Deploy::Linear],
        };
        let deploy = self.service.deploy;
        let keys = ["min_percent", "max_percent", "bake_minutes", "canary_percent", "step_percent", "step_minutes"];
        let idle = keys.into_iter().filter(|key| self.has(&format!("rollout.{key}")) && !of(key).contains(&deploy));
        let mut problems: Vec<Problem> = idle
            .map(|key| {
                let ways: Vec<String> = of(key).iter().map(|way| format!("`{}`", way.as_str())).collect();
                let key = format!("rollout.{key}");
                let message = format!("`{}` means nothing to `deploy = \"{}\"`", self.path(&key), deploy.as_str());
                let problem = self.at_key(&key, message, format!("of {}", ways.join(" and ")));
                problem.help("leave it out, or change `deploy`")
            })
            .collect();
        let Rollout { min_percent, max_percent, .. } = self.service.rollout;
        if deploy == Deploy::Rolling && min_percent == 100 && max_percent == 100 {
            let message = format!("a rollout of `{}` could never begin", self.name);
            let problem = self.at_value("rollout.max_percent", message, "no task may go, and none may come");
            problems.push(problem.help("write `max_percent = 200`, or `min_percent = 50`"));
        }
        problems
    }

    /// A periodic task has no service: nothing reaches it, counts it or renews it.
    fn periodic(&self) -> Vec<Problem> {
        if !self.service.is_periodic() {
            if self.has("time_zone") {
                let message = format!("`{}` belongs to no `schedule`", self.path("time_zone"));
                return vec![self.at_key("time_zone", message, "of what?").help("add `schedule`, or leave it out")];
            }
            return Vec::new();
        }
        const OF_SERVICES: [&str; 12] = [
            "port",
            "internal_ports",
            "allow",
            "host",
            "health",
            "checks",
            "tasks",
            "scaling",
            "deploy",
            "rollout",
            "before_deploy",
            "grace_seconds",
        ];
        let idle = OF_SERVICES.into_iter().filter(|key| self.has(key));
        idle.map(|key| {
            let message = format!("`{}` means nothing to a periodic task", self.path(key));
            let problem = self.at_key(key, message, format!("`{}` runs by its `schedule` and ends", self.name));
            problem.help(format!("leave `{key}` out, or `schedule` if it is to run all the time"))
        })
        .collect()
    }

    fn permissions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (number, permission) in self.service.permissions.iter().enumerate() {
            for (key, list) in [("actions", &permission.actions), ("resources", &permission.resources)] {
                if list.is_empty() {
                    let key = format!("permissions.{number}.{key}");
                    let message = format!("`{}` is empty", self.path(&key));
                    let problem = self.at_value(&key, message, "allows nothing");
                    problems.push(problem.help("name at least one, or leave the permission out"));
                }
            }
            let wide = permission.actions.iter().position(|action| action.ends_with(":*"));
            if let Some(at) = wide.filter(|_| permission.resources.iter().any(|resource| resource == "*")) {
                let key = format!("permissions.{number}.actions.{at}");
                let message = format!("`{}` is all of a service, on everything the account has", self.path(&key));
                let problem = self.at_value(&key, message, "with `resources = [\"*\"]`");
                problems.push(problem.warning().help("name the actions that the tasks need, or the ARNs"));
            }
        }
        problems
    }

    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-considerations>
    fn read_only(&self) -> Option<Problem> {
        if !self.service.read_only || !self.service.exec {
            return None;
        }
        let message = format!("`{}` has `read_only` and `exec`", self.name);
        let problem = self.at_key("read_only", message, "the agent that lets you in has to write");
        Some(problem.help("add `exec = false`, or leave `read_only` out"))
    }

    /// A rule of the load balancer takes five conditions, of which the host is one, and ECS moves the requests of one
    /// rule alone. <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
    fn ranges(&self) -> Option<Problem> {
        let ranges = self.service.allow.as_ref().map_or(0, Vec::len);
        if !self.service.deploy.doubles() || ranges <= RANGES_OF_A_RULE {
            return None;
        }
        let message = format!("`{}` has too many ranges for `{}`", self.path("allow"), self.service.deploy.as_str());
        let problem = self.at_value("allow", message, format!("{ranges}, and one rule takes {RANGES_OF_A_RULE}"));
        Some(problem.help("write fewer and wider ranges, or `deploy = \"rolling\"`"))
    }

    /// A task that fits on no instance waits for ever.
    fn size(&self) -> Vec<Problem> {
        let Some(cluster) = &self.config.cluster else { return Vec::new() };
        let Some(instance) = cluster.instance() else { return Vec::new() };
        let has = [
            ("cpu", self.service.cpu, instance.cpu_units, "CPU units"),
            ("memory", self.service.memory, instance.memory_mib, "MiB for tasks"),
        ];
        let too_large = has.into_iter().filter(|(_, wanted, most, _)| wanted > most);
        too_large
            .map(|(key, wanted, most, unit)| {
                let message = format!("`{} = {wanted}` fits on no instance", self.path(key));
                let problem = self.at_value(key, message, format!("a {} has {most} {unit}", cluster.instance_type));
                problem.help("ask for less, or take a larger `cluster.instance_type`")
            })
            .collect()
    }
}

/// Services without a cluster: possible, seldom meant. Said only when nothing is wrong.
fn nothing_runs(config: &Config, places: &Places, problems: &[Problem]) -> Option<Problem> {
    if config.cluster.is_some() || config.services.is_empty() || !problems.is_empty() || config.edge.is_some() {
        return None;
    }
    let message = "nothing runs the services: there is no `[cluster]`";
    let label = "they get their repositories and variables alone";
    let problem = Problem::error(message, places.key_at("services"), label);
    Some(problem.warning().help("add `[cluster]`; all its keys have defaults"))
}

/// The rules of `[cluster]`.
fn instances(config: &Config, places: &Places) -> Vec<Problem> {
    let Some(cluster) = &config.cluster else { return Vec::new() };
    let mut problems = Vec::new();
    if cluster.min > cluster.max {
        let key = if places.has("cluster.max") { "cluster.max" } else { "cluster.min" };
        let label = format!("{} at least, {} at most", cluster.min, cluster.max);
        let problem = Problem::error("`cluster.max` is below `cluster.min`", places.value_at(key), label);
        problems.push(problem.help(format!("write `max = {}` or more", cluster.min)));
    }
    let real = super::instance_type::architecture(&cluster.instance_type);
    if cluster.architecture.is_some_and(|wanted| wanted != real) {
        let message = format!("a `{}` has other processors than `cluster.architecture` says", cluster.instance_type);
        let label = format!("its processors are {}", real.as_str());
        let problem = Problem::error(message, places.value_at("cluster.architecture"), label);
        problems.push(problem.help(format!("write \"{}\", or leave it out", real.as_str())));
    }
    if cluster.trunking && cluster.instance().is_some_and(|spec| spec.trunked_tasks.is_none()) {
        let message = format!("a `{}` has no trunking", cluster.instance_type);
        let problem = Problem::error(message, places.value_at("cluster.trunking"), "burstable types have none");
        problems.push(problem.help("write `trunking = false`, or take a type such as `m7g.large`"));
    }
    problems
}
