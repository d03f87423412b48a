//! Whether the tasks fit on the instances, also while a new version takes over: what does not fit waits, and a rollout
//! with it, with no error from AWS.

use super::Config;
use super::cluster::Cluster;
use super::instance_type::Spec;
use super::places::Places;
use super::problem::Problem;
use super::services::Service;

/// What does not fit. A rollout that cannot get on is an error; one that would have to wait at the busiest is a warning.
pub(super) fn check(config: &Config, places: &Places) -> Option<Problem> {
    let cluster = config.cluster.as_ref()?;
    let instance = cluster.instance()?;
    let group = Group { cluster, instance, interfaces: cluster.interfaces_for_tasks()? };
    let services: Vec<_> = config.services.iter().filter(|(_, service)| !service.is_periodic()).collect();

    // One rollout at a time has to get through: with what runs at least, and the next task of it beside.
    for (name, service) in &services {
        let at_rest = |other: &&(&String, &Service)| other.0 != *name;
        let others = services.iter().filter(at_rest).map(|(_, other)| (*other, u32::from(other.tasks.min)));
        let least = match service.deploy.doubles() {
            true => service.at_rollout(service.tasks.min),
            false => {
                u32::from(service.tasks.min) + u32::from(service.rollout.min_percent == 100 && service.tasks.min > 0)
            }
        };
        let tasks: Vec<_> = others.chain([(*service, least)]).collect();
        if let Err(lacks) = group.fit(&tasks) {
            return Some(never(cluster, name, &lacks, places));
        }
    }
    let busiest: Vec<_> =
        services.iter().map(|(_, service)| (*service, service.at_rollout(service.tasks.most()))).collect();
    let lacks = group.fit(&busiest).err()?;
    let message = "at the busiest, rollouts would wait for room";
    let problem = Problem::error(message, places.value_at("cluster.max"), lacks.told(cluster));
    Some(problem.warning().help(lacks.help(cluster)))
}

fn never(cluster: &Cluster, service: &str, lacks: &Lacks, places: &Places) -> Problem {
    let message = format!("a rollout of `{service}` could never end: its tasks do not fit");
    Problem::error(message, places.value_at("cluster.max"), lacks.told(cluster)).help(lacks.help(cluster))
}

/// The instances, as many as there can be.
struct Group<'a> {
    cluster: &'a Cluster,
    instance: Spec,
    interfaces: u32,
}

/// What there is too little of.
struct Lacks {
    wanted: u32,
    placed: u32,
    what: &'static str,
}

impl Lacks {
    fn told(&self, cluster: &Cluster) -> String {
        let (instances, kind) = (cluster.max, &cluster.instance_type);
        format!("{} tasks, and room for {} on {instances} {kind}: {}", self.wanted, self.placed, self.what)
    }

    fn help(&self, cluster: &Cluster) -> String {
        let trunking = match cluster.instance().and_then(|spec| spec.trunked_tasks) {
            Some(tasks) if self.what == INTERFACES && !cluster.trunking => format!(
                ", or switch on the account setting `awsvpcTrunking` and write `trunking = true`, for {tasks} tasks on each"
            ),
            _ => String::new(),
        };
        format!("raise `cluster.max`, take larger instances{trunking}, or lower the services' `tasks`")
    }
}

const INTERFACES: &str = "too few network interfaces";

/// What is left of one instance.
struct Room {
    cpu: u32,
    memory: u32,
    interfaces: u32,
}

impl Group<'_> {
    /// Puts the tasks on the instances, the largest first.
    fn fit(&self, tasks: &[(&Service, u32)]) -> Result<(), Lacks> {
        let Spec { cpu_units: cpu, memory_mib: memory, .. } = self.instance;
        let room = || Room { cpu, memory, interfaces: self.interfaces };
        let mut rooms: Vec<Room> = (0..self.cluster.max).map(|_| room()).collect();
        let mut tasks = tasks.to_vec();
        tasks.sort_by_key(|(service, _)| std::cmp::Reverse((service.memory, service.cpu)));
        let wanted = tasks.iter().map(|(_, count)| count).sum();
        let mut placed = 0;
        for (service, count) in tasks {
            for _ in 0..count {
                let fits =
                    |room: &&mut Room| room.cpu >= service.cpu && room.memory >= service.memory && room.interfaces > 0;
                let Some(room) = rooms.iter_mut().find(fits) else {
                    return Err(Lacks { wanted, placed, what: scarce(&rooms, service) });
                };
                room.cpu -= service.cpu;
                room.memory -= service.memory;
                room.interfaces -= 1;
                placed += 1;
            }
        }
        Ok(())
    }
}

/// What the most instances have too little of for one more task.
fn scarce(rooms: &[Room], service: &Service) -> &'static str {
    let without = |lacks: &dyn Fn(&Room) -> bool| rooms.iter().filter(|room| lacks(room)).count();
    let all = [
        (without(&|room| room.cpu < service.cpu), "too little CPU"),
        (without(&|room| room.memory < service.memory), "too little memory"),
        (without(&|room| room.interfaces == 0), INTERFACES),
    ];
    all.into_iter().max_by_key(|(count, _)| *count).map_or(INTERFACES, |(_, what)| what)
}
