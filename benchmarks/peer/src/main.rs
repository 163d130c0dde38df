//! A source of the published Rust crate danube-connect-core, for a comparison in one
//! run with the source of this repository: `go run ./benchmarks -mode peer`.
//!
//! peer URL PREFIX TOPICS SIZE WARMUP COUNT publishes records of SIZE bytes to the
//! topics PREFIX-0, PREFIX-1 and so on by turns, and prints the seconds that COUNT of
//! them took, after WARMUP others. A record counts when the runtime commits it.

use async_trait::async_trait;
use danube_connect_core::{
    ConnectorConfig, ConnectorResult, Offset, ProcessingSettings, ProducerConfig, RetrySettings,
    SourceConnector, SourceRecord, SourceRuntime,
};
use std::time::Instant;

/// As many records as the other source returns from one poll.
const POLL_BATCH: usize = 64;

struct Peer {
    topics: Vec<String>,
    payload: String,
    turn: usize,
    warmup: usize,
    count: usize,
    committed: usize,
    start: Option<Instant>,
}

#[async_trait]
impl SourceConnector for Peer {
    async fn initialize(&mut self, _config: ConnectorConfig) -> ConnectorResult<()> {
        Ok(())
    }

    async fn producer_configs(&self) -> ConnectorResult<Vec<ProducerConfig>> {
        Ok(self
            .topics
            .iter()
            .map(|t| ProducerConfig::new(t.clone(), 0, true))
            .collect())
    }

    async fn poll(&mut self) -> ConnectorResult<Vec<SourceRecord>> {
        let mut records = Vec::with_capacity(POLL_BATCH);
        for _ in 0..POLL_BATCH {
            let topic = &self.topics[self.turn % self.topics.len()];
            self.turn += 1;
            records.push(SourceRecord::from_string(topic, self.payload.clone()));
        }
        Ok(records)
    }

    async fn commit(&mut self, offsets: Vec<Offset>) -> ConnectorResult<()> {
        self.committed += offsets.len();
        match self.start {
            None if self.committed >= self.warmup => {
                self.start = Some(Instant::now());
                self.committed = 0;
            }
            Some(start) if self.committed >= self.count => {
                let rate = self.committed as f64 / start.elapsed().as_secs_f64();
                println!("{}", self.count as f64 / rate);
                std::process::exit(0); // the runtime has no end of its own
            }
            _ => {}
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ConnectorResult<()> {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize| -> usize {
        match args.get(i).and_then(|a| a.parse().ok()) {
            Some(n) => n,
            None => {
                eprintln!("usage: peer URL PREFIX TOPICS SIZE WARMUP COUNT");
                std::process::exit(2);
            }
        }
    };
    let (topics, size, warmup, count) = (number(3), number(4), number(5), number(6));
    let peer = Peer {
        topics: (0..topics).map(|i| format!("{}-{}", args[2], i)).collect(),
        payload: "x".repeat(size.saturating_sub(2)), // the crate puts texts in quotes
        turn: 0,
        warmup,
        count,
        committed: 0,
        start: None,
    };
    let config = ConnectorConfig {
        danube_service_url: args[1].clone(),
        connector_name: "peer".to_string(),
        retry: RetrySettings::default(),
        processing: ProcessingSettings {
            metrics_port: 0,
            log_level: "error".to_string(),
            ..ProcessingSettings::default()
        },
        schemas: Vec::new(),
    };
    SourceRuntime::new(peer, config).await?.run().await
}
