/work/wt/mine/scripts/switches/target/debug/deps/switches-2560b4b94b36565a.d: /work/wt/mine/.clippy.toml src/main.rs src/build.rs src/list.rs src/source.rs src/trial.rs src/switch.rs Cargo.toml

/work/wt/mine/scripts/switches/target/debug/deps/libswitches-2560b4b94b36565a.rmeta: /work/wt/mine/.clippy.toml src/main.rs src/build.rs src/list.rs src/source.rs src/trial.rs src/switch.rs Cargo.toml

/work/wt/mine/.clippy.toml:
src/main.rs:
src/build.rs:
src/list.rs:
src/source.rs:
src/trial.rs:
src/switch.rs:
Cargo.toml:

# env-dep:CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
# env-dep:CLIPPY_CONF_DIR
