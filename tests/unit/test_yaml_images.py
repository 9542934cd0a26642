"""Where kustomizations and Helm values name an image, and what a bump makes of them."""

import pytest

from hub.actions.gitops import Image
from hub.clients.gitops.images import read_image, write_image
from hub.errors import PermanentError

REPOSITORY = "registry.example/company/order-service"
OLD = f"sha256:{'0' * 64}"
NEW = f"sha256:{'1' * 64}"
IMAGE = Image(repository=REPOSITORY, tag="v2", digest=NEW)


def kustomize(text: str, image: Image = IMAGE) -> str:
    return write_image(text.encode(), image, path="a/kustomization.yaml").decode()


def helm(text: str, image: Image = IMAGE) -> str:
    return write_image(text.encode(), image, path="a/values-dev.yaml").decode()


def read(text: str, path: str = "a/kustomization.yaml") -> Image | None:
    return read_image(text.encode(), service="order-service", path=path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"images:\n- name: {REPOSITORY}\n  newTag: v1\n", "newTag: v2"),
        (f"images:\n- name: app\n  newName: {REPOSITORY}\n  newTag: v1\n", "newTag: v2"),
        (
            f"images:\n- newTag: v1 # why\n  newName: {REPOSITORY}\n  name: app\n",
            "newTag: v2 # why",
        ),
        (f"images: [{{name: {REPOSITORY}, newTag: v1}}]\n", "newTag: v2"),
        (f"images:\n- name: other\n  newTag: v1\n- name: {REPOSITORY}\n  newTag: 'v1'\n", "'v2'"),
    ],
)
def test_the_entry_of_a_kustomization_gets_the_tag(before: str, after: str) -> None:
    changed = kustomize(before)
    assert after in changed
    assert len(changed) == len(before)
    assert sum(a != b for a, b in zip(before, changed, strict=True)) == 1


def test_tag_and_digest_are_set_where_the_entry_has_them() -> None:
    both = f"images:\n- name: {REPOSITORY}\n  newTag: v1\n  digest: {OLD}\n"
    assert kustomize(both) == both.replace("v1", "v2").replace(OLD, NEW)
    digest_alone = f"images:\n- name: {REPOSITORY}\n  digest: {OLD}\n"
    assert kustomize(digest_alone) == digest_alone.replace(OLD, NEW)


def test_an_entry_without_either_gets_a_tag_under_its_name() -> None:
    text = f"images:\n  - name: app\n    newName: {REPOSITORY} # ours\n# end\n"
    assert kustomize(text) == text.replace("# ours\n", "# ours\n    newTag: v2\n")


def test_the_new_name_counts_and_not_the_name() -> None:
    text = f"images:\n- name: {REPOSITORY}\n  newName: elsewhere/app\n  newTag: v1\n"
    with pytest.raises(PermanentError, match=f"no place for the image {REPOSITORY}"):
        kustomize(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("resources: [a.yaml]\n", "no place for the image"),
        ("images: none\n", "no place for the image"),
        ("images:\n- name: other\n  newTag: v1\n", "no place for the image"),
        (
            f"images:\n- name: {REPOSITORY}\n  newTag: v1\n- name: {REPOSITORY}\n  newTag: v1\n",
            "line 4: a second place for the image",
        ),
        (f"images:\n- name: {REPOSITORY}\nimages:\n- name: x\n", "line 4: images stands twice"),
        (
            f"images:\n- name: {REPOSITORY}\n  newTag: v1\n  newTag: v1\n",
            "line 4: newTag stands twice",
        ),
        (
            f"x: &x {{newTag: v1}}\nimages:\n- <<: *x\n  name: {REPOSITORY}\n",
            "line 3: a merge key may add",
        ),
        (f"x: &x v1\nimages:\n- name: {REPOSITORY}\n  newTag: *x\n", "an alias shares"),
        (f"images:\n- name: {REPOSITORY}\n  newTag: [v1]\n", "newTag is not a plain value"),
        (f"images:\n- name: {REPOSITORY}\n  newTag: |\n    v1\n", "a block scalar"),
        (f"images: [{{name: {REPOSITORY}}}]\n", "newTag is missing and cannot be added"),
        (f"images:\n- name: {REPOSITORY}\n  newTag: {{{{ .Tag }}}}\n", "not a plain value"),
        ("images: [\n", "not YAML"),
    ],
)
def test_a_kustomization_that_is_not_clear_is_refused_with_its_path(text: str, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason) as refusal:
        kustomize(text)
    assert str(refusal.value).startswith("a/kustomization.yaml")


@pytest.mark.parametrize(
    "text",
    [
        f"image:\n  repository: {REPOSITORY}\n  tag: v1\n",
        f"a:\n  b:\n  - image: {{repository: {REPOSITORY}, tag: v1}}\n",
        "image:\n  registry: registry.example\n  repository: company/order-service\n  tag: v1\n",
        f"image:\n  registry: mirror.example\n  repository: {REPOSITORY}\n  tag: v1\n",
        "replicas: 2\nimage:\n  pullPolicy: Always\n  tag: v1\n",
        f"frontend:\n  repository: {REPOSITORY}\n  tag: v1\nimage:\n  tag: v0\n",
        f"a: {{repository: other, tag: v0}}\nimage:\n  tag: v1\n  repository: {REPOSITORY}\n",
        f"a: &a\n  image:\n    repository: {REPOSITORY}\n    tag: v1\nb:\n  <<: *a\nc: *a\n",
        f"chart:\n  repository: https://x\nimage:\n  repository: {REPOSITORY}\n  tag: v1\n",
    ],
)
def test_the_mapping_of_helm_values_gets_the_tag(text: str) -> None:
    assert helm(text) == text.replace("tag: v1", "tag: v2")


def test_a_tag_that_is_pinned_by_digest_stays_pinned() -> None:
    text = f"image:\n  repository: {REPOSITORY}\n  tag: v1@{OLD} # renovate\n"
    assert helm(text) == text.replace(f"v1@{OLD}", f"v2@{NEW}")


def test_an_empty_digest_is_filled() -> None:
    text = f'image:\n  repository: {REPOSITORY}\n  tag: v1\n  digest: ""\n'
    assert helm(text) == text.replace("v1", "v2").replace('""', f'"{NEW}"')


def test_an_image_without_tag_gets_one() -> None:
    text = f"image:\n  repository: {REPOSITORY}\n  pullPolicy: Always\n"
    assert helm(text) == text.replace("service\n", "service\n  tag: v2\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("replicas: 1\n", "no place for the image"),
        ("image: nginx:v1\n", "no place for the image"),
        ("a:\n  image:\n    tag: v1\nb:\n  image:\n    tag: v1\n", "no place for the image"),
        ("image:\n  tag: v1\nb:\n  repository: other\n  tag: v1\n", "no place for the image"),
        (
            "".join(
                f"{key}:\n  image:\n    repository: {REPOSITORY}\n    tag: v1\n" for key in "ab"
            ),
            "line 7: a second place for the image",
        ),
        (f"image:\n  <<: {{tag: v1}}\n  repository: {REPOSITORY}\n", "merge key"),
        (f"image:\n  repository: {REPOSITORY}\n  tag: v1\n  tag: v1\n", "tag stands twice"),
    ],
)
def test_helm_values_that_are_not_clear_are_refused_with_their_path(text: str, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason) as refusal:
        helm(text)
    assert str(refusal.value).startswith("a/values-dev.yaml")


def test_what_was_written_is_read_back() -> None:
    text = f"images:\n- name: app\n  newName: {REPOSITORY}\n  newTag: v1\n  digest: {OLD}\n"
    assert read(kustomize(text)) == IMAGE
    values = f"image:\n  repository: {REPOSITORY}\n  tag: v1@{OLD}\n"
    assert read(helm(values), "values.yaml") == IMAGE


def test_what_the_file_does_not_tell_is_empty() -> None:
    assert read(f"images:\n- name: {REPOSITORY}\n  newTag: v1\n") == Image(
        repository=REPOSITORY, tag="v1", digest=""
    )
    assert read("image:\n  tag: v1\n", "values.yaml") == Image(repository="", tag="v1", digest="")


def test_of_several_images_the_one_that_is_called_like_the_service_is_read() -> None:
    text = "images:\n- name: envoy\n  newTag: v9\n- name: x/order-service\n  newTag: v1\n"
    assert read(text) == Image(repository="x/order-service", tag="v1", digest="")


@pytest.mark.parametrize(
    "text",
    [
        "resources: []\n",
        "images:\n- name: envoy\n- name: nginx\n",
        "images:\n- name: a/order-service\n- name: b/order-service\n",
    ],
)
def test_where_no_image_can_be_told_to_be_the_service_s_none_is_read(text: str) -> None:
    assert read(text) is None
