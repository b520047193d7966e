// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL: a server of its own on a private directory and socket, several connections, each with group commit.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use super::group::{Engine, Row};
use crate::usage;

pub(crate) const SETUP: &str = "Debian's server on a private directory and unix socket; synchronous_commit=on, fsync and \
    full_page_writes on, wal_level=minimal, shared_buffers=256MB, wal_buffers=16MB, max_wal_size=4GB, autovacuum as it \
    comes; of 1, 2, 4 or 8 connections the number that is best, as tried before the first round with so many callers; each commits groups of at most 1,024 rows or 512 KiB, small ones by one INSERT over arrays, larger \
    ones by binary COPY; payloads of STORAGE EXTERNAL (not compressed)";
const CONNECTIONS: usize = 8;
/// From so many rows on a COPY is cheaper than a prepared INSERT.
const COPY_ROWS_MIN: usize = 16;
const START_MAX: Duration = Duration::from_secs(30);
/// `sun_path` of Linux, with what the server appends.
const SOCKET_PATH_MAX: usize = 90;
const USER: &str = "postgres";

const TABLE: &str = "CREATE TABLE records (seq int8 PRIMARY KEY, time_ns int8 NOT NULL, execution uuid NOT NULL, \
    component int4 NOT NULL, kind int2 NOT NULL, payload bytea NOT NULL); \
    ALTER TABLE records ALTER COLUMN payload SET STORAGE EXTERNAL;";
const INDEXES: &str = "CREATE INDEX ON records (execution); CREATE INDEX ON records (component); \
    CREATE INDEX ON records (kind, time_ns);";
const INSERT: &str = "INSERT INTO records SELECT * FROM \
    unnest($1::int8[], $2::int8[], $3::uuid[], $4::int4[], $5::int2[], $6::bytea[])";
const COPY: &str = "COPY records FROM STDIN BINARY";
const TYPES: [Type; 6] = [
    Type::INT8,
    Type::INT8,
    Type::UUID,
    Type::INT4,
    Type::INT2,
    Type::BYTEA,
];

/// The server; it stops when this is dropped, and dies with this process.
pub(crate) struct Server {
    process: Child,
    sockets: PathBuf,
}

/// Where Debian or the path has the server's programs; the reason where there are none.
fn programs() -> Result<PathBuf, String> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut places: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    places.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(
        std::env::split_paths(&path)
            .collect::<Vec<_>>()
            .into_iter()
            .rev(),
    );
    let found = places
        .into_iter()
        .rev()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists());
    found.ok_or_else(|| "no initdb here (Debian's package postgresql)".to_owned())
}

/// The server's version, or why there is none.
pub(crate) fn version() -> Result<String, String> {
    let program = programs()?.join("postgres");
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|error| format!("postgres does not start: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A program that runs as somebody unprivileged, and ends with this process.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    }
    command.arg("--").arg(program).process_group(0);
    command.stdin(Stdio::null());
    command
}

/// Gives the directory to the server's user.
fn give(path: &Path) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let locked = path.ancestors().skip(1).find(|it| {
        let mode = it.metadata().map_or(0, |meta| meta.permissions().mode());
        mode & 0o001 == 0
    });
    if let Some(locked) = locked {
        return Err(format!(
            "user {USER} cannot enter {}; say another --data",
            locked.display()
        ));
    }
    let changed = Command::new("chown")
        .args([USER, &path.display().to_string()])
        .output();
    match changed {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!(
            "no user {USER} here, and root may not run the server"
        )),
    }
}

impl Server {
    /// Makes a cluster in `path` and starts its server.
    pub(crate) fn start(path: &Path) -> Result<Self, String> {
        let programs = programs()?;
        let (data, sockets) = (path.join("data"), path.to_owned());
        if sockets.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(format!(
                "{} is too long for a socket; say another --data",
                path.display()
            ));
        }
        give(path)?;
        let made = unprivileged(&programs.join("initdb"))
            .args([
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--username=postgres",
                "-D",
            ])
            .arg(&data)
            .output()
            .map_err(|error| format!("setpriv does not start: {error}"))?;
        if !made.status.success() {
            return Err(format!(
                "initdb: {}",
                String::from_utf8_lossy(&made.stderr).trim()
            ));
        }
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 20\nsynchronous_commit = on\n\
             wal_level = minimal\nmax_wal_senders = 0\nshared_buffers = 256MB\nwal_buffers = 16MB\nmax_wal_size = 4GB\n\
             checkpoint_completion_target = 0.9\njit = off\nlogging_collector = off\n",
            sockets.display()
        );
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"));
        file.and_then(|mut file| file.write_all(settings.as_bytes()))
            .map_err(|error| format!("postgresql.conf: {error}"))?;
        let log = std::fs::File::create(path.join("log")).map_err(|error| error.to_string())?;
        let process = unprivileged(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("postgres does not start: {error}"))?;
        let mut server = Self { process, sockets };
        server.wait().map(|()| server)
    }

    fn wait(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            match self.connect() {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() > START_MAX => return Err(error),
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                let log = std::fs::read_to_string(self.sockets.join("log")).unwrap_or_default();
                return Err(format!(
                    "postgres ended with {status}: {}",
                    log.lines().last().unwrap_or("")
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn connect(&self) -> Result<Client, String> {
        let at = format!(
            "host={} user=postgres dbname=postgres",
            self.sockets.display()
        );
        Client::connect(&at, NoTls).map_err(|error| error.to_string())
    }

    /// The table, and a writer for each connection.
    pub(crate) fn engines(&self, indexes: bool) -> Result<Vec<Box<dyn Engine>>, String> {
        let mut client = self.connect()?;
        let mut made = client.batch_execute(TABLE);
        if indexes {
            made = made.and_then(|()| client.batch_execute(INDEXES));
        }
        made.map_err(|error| error.to_string())?;
        let engine = |_| Ok(Box::new(Connection::prepare(self.connect()?)?) as Box<dyn Engine>);
        (0..CONNECTIONS).map(engine).collect()
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        usage::with_children(self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        // Fast: connections are cut and the cluster is closed; who does not hear it in time is killed.
        let _sent = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(_)) = self.process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _sent = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        std::thread::sleep(Duration::from_secs(1));
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

struct Connection {
    client: Client,
    insert: Statement,
    copy: Statement,
}

impl Connection {
    fn prepare(mut client: Client) -> Result<Self, String> {
        let insert = client.prepare(INSERT).map_err(|error| error.to_string())?;
        let copy = client.prepare(COPY).map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            insert,
            copy,
        })
    }

    fn insert(&mut self, rows: &[Row]) -> Result<(), postgres::Error> {
        let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.time_ns).collect();
        let executions: Vec<Uuid> = rows
            .iter()
            .map(|row| Uuid::from_bytes(row.execution))
            .collect();
        let components: Vec<i32> = rows.iter().map(|row| row.component).collect();
        let kinds: Vec<i16> = rows.iter().map(|row| row.kind).collect();
        let payloads: Vec<&[u8]> = rows.iter().map(|row| row.payload.as_slice()).collect();
        let inserted = self.client.execute(
            &self.insert,
            &[&seqs, &times, &executions, &components, &kinds, &payloads],
        )?;
        assert_eq!(inserted, rows.len() as u64, "rows inserted");
        Ok(())
    }

    fn copy(&mut self, rows: &[Row]) -> Result<(), postgres::Error> {
        let mut writer = BinaryCopyInWriter::new(self.client.copy_in(&self.copy)?, &TYPES);
        for row in rows {
            let execution = Uuid::from_bytes(row.execution);
            writer.write(&[
                &row.seq,
                &row.time_ns,
                &execution,
                &row.component,
                &row.kind,
                &row.payload,
            ])?;
        }
        let copied = writer.finish()?;
        assert_eq!(copied, rows.len() as u64, "rows copied");
        Ok(())
    }
}

impl Engine for Connection {
    fn commit(&mut self, rows: &[Row]) -> Result<(), String> {
        let done = if rows.len() < COPY_ROWS_MIN {
            self.insert(rows)
        } else {
            self.copy(rows)
        };
        done.map_err(|error| error.to_string())
    }
}
