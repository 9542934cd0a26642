"""The reactions: one file is one reaction, and this list is all of them."""

from handlers.announce_composite import announce_composite
from handlers.announce_dead_letter import announce_dead_letter
from handlers.announce_deployment import announce_deployment
from handlers.announce_drift import announce_drift
from handlers.announce_request import announce_request
from handlers.bump_image_tag import bump_image_tag
from handlers.page_on_degraded import page_on_degraded
from handlers.release_pipeline_runs import release_pipeline_runs
from handlers.report_pipeline_status import report_pipeline_status
from handlers.rerun_pipeline import rerun_pipeline
from handlers.start_approved_run import start_approved_run
from handlers.start_pipeline_run import start_pipeline_run
from handlers.track_deployment import track_deployment

HANDLERS = (
    start_pipeline_run,
    start_approved_run,
    rerun_pipeline,
    release_pipeline_runs,
    report_pipeline_status,
    bump_image_tag,
    track_deployment,
    announce_deployment,
    announce_dead_letter,
    page_on_degraded,
    announce_request,
    announce_composite,
    announce_drift,
)
