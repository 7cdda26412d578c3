package nodeos

// bottlerocket is Bottlerocket in one of its variants for Kubernetes, one for
// each minor: kubelet and containerd are in the image, and a machine takes
// settings but neither programs nor a root shell. It can be a worker on EC2.
func bottlerocket() OS {
	return OS{
		ID: "bottlerocket", Family: "bottlerocket", Name: "Bottlerocket",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "bottlerocket", ReleaseVersion: "*",
		OwnKubelet: true,
		NoHost:     "its kubelet is in its image, and the release's cannot be put in: use it for workers on EC2, with kubelet: os",
	}
}
