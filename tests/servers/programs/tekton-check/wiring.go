package main

import (
	"context"
	"fmt"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"github.com/tektoncd/pipeline/pkg/reconciler/pipeline/dag"
	"github.com/tektoncd/pipeline/pkg/reconciler/pipelinerun/resources"
	"github.com/tektoncd/pipeline/pkg/reconciler/taskrun"
	tasks "github.com/tektoncd/pipeline/pkg/reconciler/taskrun/resources"
	"github.com/tektoncd/pipeline/pkg/workspace"
	corev1 "k8s.io/api/core/v1"
)

// cluster is what objects refer to each other in, by namespace and name.
type cluster struct {
	tasks     map[string]*v1.Task
	pipelines map[string]*v1.Pipeline
	runs      []*v1.PipelineRun
}

func newCluster() *cluster {
	return &cluster{tasks: map[string]*v1.Task{}, pipelines: map[string]*v1.Pipeline{}}
}

func (c *cluster) put(object checked) error {
	switch one := object.(type) {
	case *v1.Task:
		return keep(c.tasks, one.Namespace+"/"+one.Name, one)
	case *v1.Pipeline:
		return keep(c.pipelines, one.Namespace+"/"+one.Name, one)
	case *v1.PipelineRun:
		c.runs = append(c.runs, one)
	}
	return nil
}

func keep[T any](kept map[string]T, name string, one T) error {
	if _, there := kept[name]; there {
		return fmt.Errorf("there are two of the name %s", name)
	}
	kept[name] = one
	return nil
}

// check does what the reconciler does of a run before it starts the first task.
func (c *cluster) check(ctx context.Context, add func(string, error)) {
	for _, pipeline := range c.pipelines {
		c.checkPipeline(ctx, pipeline, func(err error) { add("Pipeline/"+pipeline.Name, err) })
	}
	for _, run := range c.runs {
		c.checkRun(run, func(err error) { add("PipelineRun/"+run.Name, err) })
	}
}

func (c *cluster) checkPipeline(ctx context.Context, pipeline *v1.Pipeline, add func(error)) {
	spec := &pipeline.Spec
	_, err := dag.Build(v1.PipelineTaskList(spec.Tasks), v1.PipelineTaskList(spec.Tasks).Deps())
	add(err)
	_, err = dag.Build(v1.PipelineTaskList(spec.Finally), map[string][]string{})
	add(err)
	state := resources.PipelineRunState{}
	for _, one := range append(append([]v1.PipelineTask{}, spec.Tasks...), spec.Finally...) {
		resolved, err := c.resolve(pipeline.Namespace, one)
		if err != nil {
			add(err)
			continue
		}
		state = append(state, resolved)
		add(named(one, taskrun.ValidateResolvedTask(ctx, one.Params, one.Matrix, resolved.ResolvedTask)))
		add(named(one, checkWorkspaces(ctx, one, resolved.ResolvedTask.TaskSpec)))
		add(named(one, undeclared(one, resolved.ResolvedTask.TaskSpec)))
	}
	add(resources.ValidatePipelineTaskResults(state))
	add(resources.ValidatePipelineResults(spec, state))
	add(resources.ValidateOptionalWorkspaces(spec.Workspaces, state))
}

func named(task v1.PipelineTask, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("task %s: %w", task.Name, err)
}

func (c *cluster) resolve(namespace string, one v1.PipelineTask) (*resources.ResolvedPipelineTask, error) {
	task := &one
	resolved := &tasks.ResolvedTask{TaskName: one.Name}
	switch {
	case one.TaskSpec != nil:
		resolved.TaskSpec = &one.TaskSpec.TaskSpec
	case one.TaskRef != nil && c.tasks[namespace+"/"+one.TaskRef.Name] != nil:
		resolved.TaskSpec = &c.tasks[namespace+"/"+one.TaskRef.Name].Spec
	default:
		return nil, fmt.Errorf("task %s: there is no such Task in namespace %q", one.Name, namespace)
	}
	return &resources.ResolvedPipelineTask{PipelineTask: task, ResolvedTask: resolved}, nil
}

// checkWorkspaces binds each workspace to an empty folder, as only the names are in question.
func checkWorkspaces(ctx context.Context, one v1.PipelineTask, spec *v1.TaskSpec) error {
	bindings := []v1.WorkspaceBinding{}
	for _, each := range one.Workspaces {
		empty := &corev1.EmptyDirVolumeSource{}
		bindings = append(bindings, v1.WorkspaceBinding{Name: each.Name, EmptyDir: empty})
	}
	return workspace.ValidateBindings(ctx, spec.Workspaces, bindings)
}

// undeclared is the one rule of ours: Tekton drops a parameter that the Task does not declare.
func undeclared(one v1.PipelineTask, spec *v1.TaskSpec) error {
	declared := map[string]bool{}
	for _, param := range spec.Params {
		declared[param.Name] = true
	}
	for _, param := range one.Params {
		if !declared[param.Name] {
			return fmt.Errorf("the Task does not declare the parameter %s", param.Name)
		}
	}
	return nil
}

func (c *cluster) checkRun(run *v1.PipelineRun, add func(error)) {
	if run.Spec.PipelineRef == nil {
		return
	}
	pipeline := c.pipelines[run.Namespace+"/"+run.Spec.PipelineRef.Name]
	if pipeline == nil {
		add(fmt.Errorf("there is no Pipeline %s in namespace %q", run.Spec.PipelineRef.Name, run.Namespace))
		return
	}
	spec := &pipeline.Spec
	add(resources.ValidateRequiredParametersProvided(&spec.Params, &run.Spec.Params))
	add(resources.ValidateParamTypesMatching(spec, run))
	add(resources.ValidateObjectParamRequiredKeys(spec.Params, run.Spec.Params))
	add(resources.ValidateParamArrayIndex(spec, run.Spec.Params))
	add(resources.ValidateWorkspaceBindings(spec, run))
	add(resources.ValidateTaskRunSpecs(spec, run))
}
