//! The topupd binary: hands the command line to the library.

fn main() -> std::process::ExitCode {
    topupd::cli::main()
}
