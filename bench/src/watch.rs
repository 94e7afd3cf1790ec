//! What a measured stretch took: time, and processor time of the server and of the load generator.

use std::time::Instant;

use crate::cost;
use crate::servers::Server;

/// Units, and with them whether more is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Things done a second: more is better.
    PerSecond,
    /// Milliseconds: less is better.
    Millis,
    /// Bytes: less is better.
    Bytes,
    /// Bytes written for each that came in: less is better.
    Times,
}

/// What a measurement found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// What it is a measure of.
    pub(crate) unit: Unit,
    /// How many of it.
    pub(crate) value: f64,
    /// What it took.
    pub(crate) spent: Spent,
    /// Operations in that.
    pub(crate) operations: f64,
    /// What was answered, where all servers have to answer the same.
    pub(crate) answer: Option<u64>,
}

impl Measure {
    /// A number without a stretch of time.
    pub(crate) fn of(unit: Unit, value: f64) -> Self {
        Self { unit, value, spent: Spent::default(), operations: 1.0, answer: None }
    }

    /// The processor time of the server for each operation, as a measure of its own.
    pub(crate) fn cpu_each(&self) -> Self {
        Self { unit: Unit::Millis, value: self.spent.server / self.operations * 1e3, ..*self }
    }

    /// With an answer that has to be the same from all servers.
    pub(crate) fn answered(self, answer: u64) -> Self {
        Self { answer: Some(answer), ..self }
    }
}

/// All in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// On the wall.
    pub(crate) wall: f64,
    /// The server's processor time.
    pub(crate) server: f64,
    /// The load generator's.
    pub(crate) generator: f64,
}

impl Spent {
    /// So many a second.
    pub(crate) fn rate(self, count: usize) -> Measure {
        let operations = count as f64;
        let value = operations / self.wall;
        Measure { unit: Unit::PerSecond, value, spent: self, operations, answer: None }
    }

    /// How long the whole took.
    pub(crate) fn millis(self) -> Measure {
        self.millis_each(1)
    }

    /// How long each of so many took.
    pub(crate) fn millis_each(self, count: usize) -> Measure {
        let operations = count as f64;
        let value = self.wall * 1e3 / operations;
        Measure { unit: Unit::Millis, value, spent: self, operations, answer: None }
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            server: self.server + other.server,
            generator: self.generator + other.generator,
        }
    }
}

/// A stopwatch for the time and for two processors' times.
pub(crate) struct Watch {
    pid: u32,
    start: Instant,
    server: f64,
    generator: f64,
}

impl Watch {
    /// Starts it.
    pub(crate) fn start(server: &Server) -> Self {
        let (pid, before) = (server.pid(), cost::cpu_seconds(server.pid()));
        Self { pid, server: before, generator: cost::own_cpu_seconds(), start: Instant::now() }
    }

    /// Stops it.
    pub(crate) fn stop(self) -> Spent {
        let wall = self.start.elapsed().as_secs_f64();
        let generator = cost::own_cpu_seconds() - self.generator;
        // Less than before: processes that ended count in hundredths of a second.
        let server = (cost::cpu_seconds(self.pid) - self.server).max(0.0);
        Spent { wall, server, generator }
    }
}
