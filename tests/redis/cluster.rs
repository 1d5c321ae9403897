//! Starts and stops a cluster of three nodes.

use phicache::redis::{Endpoint, Server};

use super::server::{Running, endpoint, eventually, free_port};

/// Three nodes.
pub struct Cluster(pub [Running; 3]);

impl Cluster {
    /// Starts them; None without a server program.
    pub fn start() -> Option<Self> {
        let node = || {
            let bus = free_port().to_string();
            Running::start(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                // No node may declare another dead that is only slow or frozen by a test.
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

    /// A client whose URL has all nodes, or only the first.
    pub fn connect(&self, all: bool) -> Server {
        Server::new(self.endpoint(all)).unwrap()
    }

    /// Its endpoint, with all nodes or only the first.
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
