//! Whose turn it is: a pure queue.
//!
//! Tenants take turns, and within a tenant its agents do; within an agent the most urgent go first, and
//! then it is first come, first served. So neither a tenant nor an agent with many tasks keeps others waiting. Limits on runs skip
//! whoever is at its limit and nobody else.

mod line;

use std::collections::{HashMap, VecDeque};

use taskyard_storage::WorkItem;
use taskyard_task::{AgentName, Tenant, Timestamp};

use crate::config::QueueLimits;

use line::Line;

#[derive(Debug)]
pub(crate) struct Scheduler {
    limits: QueueLimits,
    agent_limits: HashMap<AgentName, u32>,
    tenants: HashMap<Tenant, TenantQueue>,
    /// The tenants that have something in line, next one first.
    turns: VecDeque<Tenant>,
    queued: u32,
    /// What counts for the host's limit: of each tenant, as many as may be in line for it. Tasks whose
    /// moment comes, and those that are in line again, join beyond that, and must not shut others out.
    counted: u32,
    running: u32,
    running_by_agent: HashMap<AgentName, u32>,
}

#[derive(Debug, Default)]
struct TenantQueue {
    /// The agents that have something in line, next one first.
    turns: VecDeque<AgentName>,
    agents: HashMap<AgentName, Line>,
    queued: u32,
    running: u32,
}

/// Which limit a new task would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Host,
    Tenant,
}

impl Scheduler {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            agent_limits: HashMap::new(),
            tenants: HashMap::new(),
            turns: VecDeque::new(),
            queued: 0,
            counted: 0,
            running: 0,
            running_by_agent: HashMap::new(),
        }
    }

    /// Limits the runs of one agent further than the host does for all.
    pub(crate) fn limit_agent(&mut self, agent: AgentName, max_runs: Option<u32>) {
        match max_runs {
            Some(max_runs) => self.agent_limits.insert(agent, max_runs),
            None => self.agent_limits.remove(&agent),
        };
    }

    /// Whether a new task of `tenant` may join the line.
    pub(crate) fn room_for(&self, tenant: &Tenant) -> Result<(), Full> {
        if self.counted >= self.limits.max_queued {
            return Err(Full::Host);
        }
        let queued = self.tenants.get(tenant).map_or(0, |queue| queue.queued);
        if queued >= self.limits.max_queued_per_tenant {
            return Err(Full::Tenant);
        }
        Ok(())
    }

    /// Puts a task into its line, behind those that are at least as urgent.
    pub(crate) fn push(&mut self, item: WorkItem) {
        self.queued += 1;
        let tenant = self.tenants.entry(item.tenant.clone()).or_default();
        if tenant.queued < self.limits.max_queued_per_tenant {
            self.counted += 1;
        }
        if tenant.queued == 0 {
            self.turns.push_back(item.tenant.clone());
        }
        tenant.push(item);
    }

    /// Takes the task whose turn it is, and counts it as running; `None` if no task may run now.
    pub(crate) fn pop(&mut self) -> Option<WorkItem> {
        if self.running >= self.limits.max_runs {
            return None;
        }
        for _ in 0..self.turns.len() {
            let name = self.turns.pop_front()?;
            let item = self.pop_of(&name);
            if self
                .tenants
                .get(&name)
                .is_some_and(|tenant| tenant.queued > 0)
            {
                self.turns.push_back(name);
            }
            if let Some(item) = item {
                self.count_running(&item);
                return Some(item);
            }
        }
        None
    }

    /// A run of `item`'s task is over.
    pub(crate) fn done(&mut self, item: &WorkItem) {
        self.running = self.running.saturating_sub(1);
        if let Some(count) = self.running_by_agent.get_mut(&item.agent) {
            *count = count.saturating_sub(1);
        }
        if let Some(tenant) = self.tenants.get_mut(&item.tenant) {
            tenant.running = tenant.running.saturating_sub(1);
            if tenant.running == 0 && tenant.queued == 0 {
                self.tenants.remove(&item.tenant);
            }
        }
    }

    /// Whether tasks are in line because as many run as may.
    pub(crate) fn is_crowded(&self) -> bool {
        self.queued > 0 && self.running >= self.limits.max_runs
    }

    pub(crate) fn queued(&self) -> u32 {
        self.queued
    }

    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    pub(crate) fn running_of(&self, agent: &AgentName) -> u32 {
        self.running_by_agent
            .get(agent)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn queued_of(&self, agent: &AgentName) -> u32 {
        let lines = self
            .tenants
            .values()
            .filter_map(|tenant| tenant.agents.get(agent));
        lines
            .map(|line| u32::try_from(line.len()).unwrap_or(u32::MAX))
            .sum()
    }

    /// When the task that waits longest joined its line.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let lines = self
            .tenants
            .values()
            .flat_map(|tenant| tenant.agents.values());
        lines.filter_map(Line::oldest).min()
    }

    /// Each tenant with what it has in line and running, and why nothing of it runs, if so.
    pub(crate) fn tenants(
        &self,
    ) -> impl Iterator<Item = (&Tenant, u32, u32, Option<&'static str>)> {
        self.tenants
            .iter()
            .map(|(name, queue)| (name, queue.queued, queue.running, self.blocked_on(queue)))
    }

    fn blocked_on(&self, queue: &TenantQueue) -> Option<&'static str> {
        if queue.queued == 0 {
            None
        } else if self.running >= self.limits.max_runs {
            Some("limits.max_runs")
        } else if queue.running >= self.limits.max_runs_per_tenant {
            Some("limits.max_runs_per_tenant")
        } else if queue.turns.iter().all(|agent| !self.agent_may_run(agent)) {
            Some("the runs of its agents")
        } else {
            None
        }
    }

    fn agent_may_run(&self, agent: &AgentName) -> bool {
        let own = self.agent_limits.get(agent).copied().unwrap_or(u32::MAX);
        self.running_of(agent) < own.min(self.limits.max_runs_per_agent)
    }

    fn pop_of(&mut self, name: &Tenant) -> Option<WorkItem> {
        let tenant = self.tenants.get(name)?;
        if tenant.running >= self.limits.max_runs_per_tenant {
            return None;
        }
        let turn = tenant
            .turns
            .iter()
            .position(|agent| self.agent_may_run(agent))?;
        let tenant = self.tenants.get_mut(name)?;
        let item = tenant.take(turn)?;
        self.queued -= 1;
        // What is left is below the tenant's limit: the task was one of those that counted.
        if tenant.queued < self.limits.max_queued_per_tenant {
            self.counted -= 1;
        }
        Some(item)
    }

    fn count_running(&mut self, item: &WorkItem) {
        self.running += 1;
        *self.running_by_agent.entry(item.agent.clone()).or_default() += 1;
        self.tenants.entry(item.tenant.clone()).or_default().running += 1;
    }
}

impl TenantQueue {
    fn push(&mut self, item: WorkItem) {
        self.queued += 1;
        let line = self.agents.entry(item.agent.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(item.agent.clone());
        }
        line.push(item);
    }

    /// Takes the first task of the agent at `turn`, and moves that agent to the end.
    fn take(&mut self, turn: usize) -> Option<WorkItem> {
        let agent = self.turns.remove(turn)?;
        let line = self.agents.get_mut(&agent)?;
        let item = line.pop()?;
        self.queued -= 1;
        if line.is_empty() {
            self.agents.remove(&agent);
        } else {
            self.turns.push_back(agent);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use taskyard_task::{Priority, TaskId};

    use super::*;

    fn item(tenant: &str, agent: &str, number: u8) -> WorkItem {
        WorkItem {
            task: TaskId::from_bytes([number; 16]),
            tenant: tenant.parse().unwrap(),
            agent: agent.parse().unwrap(),
            queued_at: Timestamp(u64::from(number)),
            priority: Priority::default(),
        }
    }

    fn limits(max_runs: u32, per_agent: u32, per_tenant: u32) -> QueueLimits {
        QueueLimits {
            max_runs,
            max_runs_per_agent: per_agent,
            max_runs_per_tenant: per_tenant,
            max_queued: 1_000,
            max_queued_per_tenant: 500,
            max_bytes_per_tenant: None,
        }
    }

    fn pop_all(scheduler: &mut Scheduler) -> String {
        let popped = std::iter::from_fn(|| scheduler.pop());
        let words: Vec<_> = popped
            .map(|item| format!("{}{}", item.tenant, item.task.to_bytes()[0]))
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_flooding_tenant_does_not_starve_another() {
        let mut scheduler = Scheduler::new(limits(100, 100, 100));
        for number in 0..5 {
            scheduler.push(item("flood", "echo", number));
        }
        scheduler.push(item("small", "echo", 7));
        scheduler.push(item("small", "echo", 8));
        assert_eq!(
            pop_all(&mut scheduler),
            "flood0 small7 flood1 small8 flood2 flood3 flood4"
        );
    }

    #[test]
    fn a_busy_agent_does_not_block_the_tenants_others() {
        let mut scheduler = Scheduler::new(limits(100, 1, 100));
        scheduler.push(item("t", "slow", 1));
        scheduler.push(item("t", "slow", 2));
        scheduler.push(item("t", "fast", 3));
        assert_eq!(pop_all(&mut scheduler), "t1 t3");
        scheduler.done(&item("t", "slow", 1));
        assert_eq!(pop_all(&mut scheduler), "t2");
    }

    #[test]
    fn the_urgent_tasks_of_one_do_not_keep_others_waiting() {
        let mut scheduler = Scheduler::new(limits(100, 100, 100));
        let urgent = |number| WorkItem {
            priority: Priority::try_from(9).unwrap(),
            ..item("loud", "echo", number)
        };
        scheduler.push(item("loud", "echo", 0));
        scheduler.push(item("loud", "other", 1));
        scheduler.push(item("calm", "echo", 2));
        scheduler.push(urgent(3));
        scheduler.push(urgent(4));
        scheduler.push(item("calm", "echo", 5));
        assert_eq!(
            pop_all(&mut scheduler),
            "loud3 calm2 loud1 calm5 loud4 loud0"
        );
    }

    #[test]
    fn limits_hold_for_host_tenant_and_agent() {
        let mut scheduler = Scheduler::new(limits(3, 100, 2));
        scheduler.limit_agent("rare".parse().unwrap(), Some(0));
        for number in 0..4 {
            scheduler.push(item("a", "echo", number));
            scheduler.push(item("b", "echo", number + 10));
        }
        scheduler.push(item("c", "rare", 20));
        assert_eq!(pop_all(&mut scheduler), "a0 b10 a1");
        assert_eq!(scheduler.room_for(&"a".parse().unwrap()), Ok(()));
        for number in 0..200u8 {
            for _ in 0..3 {
                scheduler.push(item("a", "echo", number));
            }
        }
        assert_eq!(scheduler.room_for(&"a".parse().unwrap()), Err(Full::Tenant));
        assert_eq!(scheduler.room_for(&"b".parse().unwrap()), Ok(()));
    }

    #[test]
    fn a_tenant_beyond_its_own_limit_does_not_shut_others_out() {
        let mut scheduler = Scheduler::new(QueueLimits {
            max_queued: 5,
            max_queued_per_tenant: 3,
            ..limits(100, 100, 100)
        });
        for number in 0..20 {
            scheduler.push(item("flood", "echo", number));
        }
        assert_eq!((scheduler.queued(), scheduler.counted), (20, 3));
        let room =
            |scheduler: &Scheduler, tenant: &str| scheduler.room_for(&tenant.parse().unwrap());
        assert_eq!(room(&scheduler, "flood"), Err(Full::Tenant));
        assert_eq!(room(&scheduler, "small"), Ok(()));
        scheduler.push(item("small", "echo", 30));
        scheduler.push(item("small", "echo", 31));
        assert_eq!(room(&scheduler, "other"), Err(Full::Host));
        while scheduler.pop().is_some() {}
        assert_eq!((scheduler.queued(), scheduler.counted), (0, 0));
        assert_eq!(room(&scheduler, "other"), Ok(()));
    }

    fn expected_count(scheduler: &Scheduler) -> u32 {
        let limit = scheduler.limits.max_queued_per_tenant;
        let tenants = scheduler.tenants.values();
        tenants.map(|tenant| tenant.queued.min(limit)).sum()
    }

    proptest! {
        /// Everything that goes in comes out once, whatever the interleaving, and counts return to zero.
        #[test]
        fn nothing_is_lost(
            tasks in prop::collection::vec((0..4u8, 0..3u8), 0..100),
            max_runs in 1..5u32,
        ) {
            let mut scheduler = Scheduler::new(QueueLimits {
                max_queued_per_tenant: 3,
                ..limits(max_runs, 2, 2)
            });
            for (number, (tenant, agent)) in tasks.iter().enumerate() {
                scheduler.push(item(&format!("t{tenant}"), &format!("a{agent}"), number as u8));
                prop_assert_eq!(scheduler.counted, expected_count(&scheduler));
            }
            let mut seen = Vec::new();
            loop {
                let batch: Vec<_> = std::iter::from_fn(|| scheduler.pop()).collect();
                prop_assert!(batch.len() <= max_runs as usize);
                prop_assert_eq!(scheduler.counted, expected_count(&scheduler));
                if batch.is_empty() { break; }
                for item in batch {
                    scheduler.done(&item);
                    seen.push(item.task.to_bytes()[0]);
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..tasks.len() as u8).collect::<Vec<_>>());
            prop_assert_eq!((scheduler.queued(), scheduler.running()), (0, 0));
            prop_assert!(scheduler.tenants.is_empty() && scheduler.turns.is_empty());
        }
    }
}
