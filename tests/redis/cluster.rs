//! A cluster of our own.

use phicache::redis::{Endpoint, Server};

use super::server::{Running, endpoint, eventually, free_port};

/// Three nodes.
pub struct Cluster(pub [Running; 3]);

impl Cluster {
    /// Starts them; none where there is no program.
    pub fn start() -> Option<Self> {
        let node = || {
            let bus = free_port().to_string();
            Running::start(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                // No node is to take another for dead that only gets no time, or is frozen by a test.
                "--cluster-node-timeout",
                "60000",
                "--cluster-require-full-coverage",
                "no",
            ])
        };
        let nodes = [node()?, node()?, node()?];
        for (number, (node, slots)) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]).enumerate() {
            let _: () = node.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
            let _: () = node.ask(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
            let bus: Vec<String> = nodes[0].ask("CONFIG GET cluster-port");
            let _: () = node.ask(&format!("CLUSTER MEET 127.0.0.1 {} {}", nodes[0].port, bus[1]));
        }
        let cluster = Cluster(nodes);
        eventually("the nodes know each other", || {
            cluster.0.iter().all(|node| {
                let info: String = node.ask("CLUSTER INFO");
                info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_ok:16384")
                    && info.contains("cluster_known_nodes:3")
            })
        });
        Some(cluster)
    }

    /// A client that knows all nodes, or only the first.
    pub fn connect(&self, all: bool) -> Server {
        Server::new(self.endpoint(all)).unwrap()
    }

    /// Where it is, by all nodes or only by the first.
    pub fn endpoint(&self, all: bool) -> Endpoint {
        endpoint(&self.url(all))
    }

    /// Its URL, with all nodes or only the first.
    pub fn url(&self, all: bool) -> String {
        let listed = if all { &self.0[..] } else { &self.0[..1] };
        let hosts: Vec<String> = listed.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis://{}?cluster=yes", hosts.join(","))
    }
}
