"""What the commands do first: connect to the server, compile and check the pipeline, upload it."""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.console import UserError
from components.parameters import BUDGETS
from pipelines import settings_options
from pipelines.submit import cron, package
from pipelines.submit.connection import Connection
from pipelines.submit.package import NAME, Package

if TYPE_CHECKING:
    from pipelines.submit.server import Server


def connect(arguments: argparse.Namespace) -> "Server | None":
    """Connects to the server; gives None where it does not answer in a dry run, which says so and goes no further."""
    from pipelines.submit import rest  # noqa: PLC0415 (loads kfp)
    from pipelines.submit.server import Server  # noqa: PLC0415

    connection = Connection(
        host=arguments.host,
        ui_host=arguments.ui_host,
        namespace=arguments.namespace,
        client_id=arguments.client_id,
        other_client_id=arguments.other_client_id,
        token_file=arguments.existing_token_file,
        kube_context=arguments.kube_context,
        proxy=arguments.proxy,
        ssl_ca_cert=arguments.ssl_ca_cert,
        verify_ssl=arguments.verify_ssl,
        answer_seconds=arguments.answer_seconds,
    )
    try:
        return Server(connection, arguments.dry_run)
    except rest.UnansweredError as error:
        if not arguments.dry_run:
            raise
        print(f"dry run: {error}; what the server holds, and what would be done, is therefore unknown", flush=True)
        return None


@contextlib.contextmanager
def prepared(arguments: argparse.Namespace) -> Iterator[tuple[Package, dict[str, Any]]]:
    """Compiles the pipeline unless a YAML file is given, and checks the parameters.

    Yields:
        The pipeline, whose temporary file is removed at the end, and the parameters to send.

    Raises:
        UserError: an option, the YAML file or a parameter is invalid.
    """
    if arguments.yaml and (given := _compile_options(arguments)):
        raise UserError(f"--yaml {arguments.yaml} is compiled already, so {given[0]} cannot change it: omit one")
    texts = package.split_words(arguments.set)
    values = package.read_file(arguments.parameters) if arguments.parameters else {}
    with tempfile.TemporaryDirectory() as folder:
        wanted = texts.get("label_budgets", values.get("label_budgets"))
        pipeline = package.load(arguments.yaml or _compiled(arguments, Path(folder), bool(wanted)))
        if not arguments.cache:
            pipeline = package.without_cache(pipeline, Path(folder) / "uncached.yaml")
        parameters = package.check(pipeline, values, texts)
        # A YAML file that was compiled earlier is sent unchanged.
        if arguments.cache and not arguments.yaml and package.pins_source(pipeline, parameters):
            pipeline, parameters = package.with_pinned_source(pipeline, parameters, Path(folder) / "pinned.yaml")
            print("the source cannot change, so Kubeflow may take ingest from its cache (--no-cache: never)")
        print(f"version: {pipeline.version}")
        print(f"parameters: {', '.join(f'{key}={value}' for key, value in parameters.items()) or 'the defaults'}")
        yield pipeline, parameters


def _compiled(arguments: argparse.Namespace, folder: Path, label_budgets: bool) -> Path:
    """Compiles the pipeline into a folder as compile.py does, if need be with label budgets; returns the YAML file."""
    chosen = settings_options.read(arguments)
    fields = getattr(arguments, "cron", None)
    if fields and chosen.runs_per_year is None:
        chosen = replace(chosen, runs_per_year=cron.parse(fields).per_year())
    if label_budgets and not chosen.label_budgets:
        chosen = replace(chosen, label_budgets=BUDGETS.usual)
    from pipelines.compiling import compile_all  # noqa: PLC0415 (loads kfp, which mistakes need not wait for)

    return compile_all(chosen, folder)[0]


def _compile_options(arguments: argparse.Namespace) -> list[str]:
    """The options for compiling that are on the command line."""
    parser = argparse.ArgumentParser(add_help=False)
    settings_options.add_options(parser)
    return [action.option_strings[0] for action in parser._actions if getattr(arguments, action.dest, None) is not None]


def upload(server: "Server", pipeline: Package) -> tuple[str, str]:
    """Creates the pipeline and the version with this YAML where they do not exist; returns their ids."""
    pipeline_id = server.find_pipeline(NAME) or server.create_pipeline(NAME)
    version_id = server.find_version(pipeline_id, pipeline.version)
    if version_id:
        print("the server has this version already", flush=True)
    return pipeline_id, version_id or server.upload_version(pipeline_id, pipeline.version, pipeline.path)


def experiment(server: "Server", given: str | None) -> str:
    """Creates the experiment where it does not exist; returns its id.

    Args:
        server: to create it on.
        given: name from the command line; the environment variables of kfp's own client apply as there.
    """
    name = (
        os.environ.get("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME")
        or given
        or os.environ.get("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME")
        or NAME
    )
    return server.find_experiment(name) or server.create_experiment(name)
