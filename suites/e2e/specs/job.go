package specs

import (
	"context"
	"fmt"

	"github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	jobCompletions = 3
	jobParallelism = 2
	jobExit        = 3
)

// jobsEnd runs a Job that completes in two waves and one whose only try fails.
func jobsEnd(ctx context.Context, e *env) {
	e.jobCompletes(ctx)
	e.jobFails(ctx)
}

// jobCompletes sees the Job use its parallelism, never exceed it, and count
// each completion once.
func (e *env) jobCompletes(ctx context.Context) {
	good := job("counted", e.image, "echo counted; sleep 2")
	good.Spec.Completions = ptr.To(int32(jobCompletions))
	good.Spec.Parallelism = ptr.To(int32(jobParallelism))
	e.createJob(ctx, good)
	most := int32(0)
	var last *batchv1.Job
	e.until(ctx, startup, "the job is complete", func(ctx context.Context) error {
		j, err := e.job(ctx, good.Name)
		if err != nil {
			return err
		}
		if most = max(most, j.Status.Active); most > jobParallelism {
			return final("%d pods were active, parallelism is %d", most, jobParallelism)
		}
		last = j
		return jobEnded(j, batchv1.JobComplete)
	})
	e.Expect(most).To(gomega.Equal(int32(jobParallelism)), "most active pods at a time")
	e.Expect(last.Status.Succeeded).To(gomega.Equal(int32(jobCompletions)), "succeeded pods in the job's status")
	e.Expect(last.Status.Failed).To(gomega.BeZero(), "failed pods in the job's status")
	pods := e.jobPods(ctx, good.Name)
	e.Expect(pods).To(gomega.HaveLen(jobCompletions), "pods of the job")
	for _, p := range pods {
		e.Expect(p.Status.Phase).To(gomega.Equal(corev1.PodSucceeded), "phase of pod "+p.Name)
		lines, err := e.logLines(ctx, p.Name, &corev1.PodLogOptions{})
		e.ok(err, "reading a completed pod's log")
		e.Expect(lines).To(gomega.Equal([]string{"counted"}), "log of pod "+p.Name)
	}
}

// jobFails wants the failure reported with its reason, after one try.
func (e *env) jobFails(ctx context.Context) {
	bad := job("failing", e.image, fmt.Sprintf("exit %d", jobExit))
	bad.Spec.BackoffLimit = ptr.To(int32(0))
	e.createJob(ctx, bad)
	var last *batchv1.Job
	e.until(ctx, startup, "the failing job is reported Failed", func(ctx context.Context) error {
		j, err := e.job(ctx, bad.Name)
		if err != nil {
			return err
		}
		last = j
		return jobEnded(j, batchv1.JobFailed)
	})
	e.Expect(condition(last, batchv1.JobFailed).Reason).To(gomega.Equal(batchv1.JobReasonBackoffLimitExceeded), "reason of the failure")
	e.Expect(last.Status.Failed).To(gomega.Equal(int32(1)), "failed pods in the job's status")
	e.Expect(last.Status.Succeeded).To(gomega.BeZero(), "succeeded pods in the job's status")
	pods := e.jobPods(ctx, bad.Name)
	e.Expect(pods).To(gomega.HaveLen(1), "pods of the failing job, which has one try")
	ended := pods[0].Status.ContainerStatuses[0].State.Terminated
	e.Expect(ended).NotTo(gomega.BeNil(), "end of the failing container")
	e.Expect(ended.ExitCode).To(gomega.Equal(int32(jobExit)), "exit code of the failing container")
}

func job(name, image, script string) *batchv1.Job {
	t := shell(image, nil, script)
	t.Spec.RestartPolicy = corev1.RestartPolicyNever
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.JobSpec{Template: t}}
}

func (e *env) createJob(ctx context.Context, j *batchv1.Job) {
	_, err := e.client().BatchV1().Jobs(e.namespace()).Create(ctx, j, metav1.CreateOptions{})
	e.ok(err, "creating job %s", j.Name)
}

func (e *env) job(ctx context.Context, name string) (*batchv1.Job, error) {
	j, err := e.client().BatchV1().Jobs(e.namespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading job %s: %w", name, err)
	}
	return j, nil
}

func (e *env) jobPods(ctx context.Context, name string) []corev1.Pod {
	pods, err := e.list(ctx, map[string]string{batchv1.JobNameLabel: name})
	e.ok(err, "finding the pods of job %s", name)
	return pods
}

// jobEnded is nil when a Job ended in the wanted way; when it ended in the
// other way there is nothing left to wait for.
func jobEnded(j *batchv1.Job, want batchv1.JobConditionType) error {
	for _, end := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		c := condition(j, end)
		if c.Status != corev1.ConditionTrue {
			continue
		}
		if end == want {
			return nil
		}
		return final("job %s is %s, want %s: %s %s", j.Name, end, want, c.Reason, c.Message)
	}
	s := j.Status
	return fmt.Errorf("job %s has not ended: %d active, %d succeeded, %d failed", j.Name, s.Active, s.Succeeded, s.Failed)
}

// condition is a Job's condition of a type, or an empty one.
func condition(j *batchv1.Job, kind batchv1.JobConditionType) batchv1.JobCondition {
	for _, c := range j.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return batchv1.JobCondition{}
}
