# Builds, runs and deploys the Lambdas. The Makefile includes this file, and defines UV, PYTHON, RUN and install.
# Every target needs PyPI. Only sam-local needs Docker, and only deploy needs AWS.
SAM_VERSION := 1.170.0
CHECKOV_VERSION := 3.3.30
BANDIT_VERSION := 1.8.6
# SAM has its own environment, because it pins packages of which the project needs newer versions.
SAM = $(UV) tool run --quiet --python $(PYTHON) --from aws-sam-cli==$(SAM_VERSION) sam
export SAM_CLI_TELEMETRY := 0
AWS_REGION ?= us-east-1
FUNCTION ?=
EVENT ?=
ENV_FILE ?=
STAGE ?=
# The folder of a project's flows, and the file that names their libraries. By default the flows of this repository.
export FLOWS ?=
export REQUIREMENTS ?=
PROJECT = $(if $(FLOWS),--flows "$(FLOWS)") $(if $(REQUIREMENTS),--requirements "$(REQUIREMENTS)")
PROGRAM ?=
# `BUILD_FOR=host` builds for this machine instead of Lambda's, into a folder of its own. The emulator runs that.
export BUILD_FOR ?=
FOR_HOST = $(if $(filter host,$(BUILD_FOR)),--host)
ON_EVENT = $(FUNCTION) $(if $(EVENT),--event $(EVENT))
BUILD_FUNCTION = @$(PYTHON) tools/lambdas/build_function.py --uv $(UV) $(FOR_HOST)

# `sam build` calls these targets, each with its own ARTIFACTS_DIR.
build-ApiFunction: | $(filter .tools/bin/uv,$(UV))
	$(BUILD_FUNCTION) api "$(ARTIFACTS_DIR)"

build-StripeCallerFunction: | $(filter .tools/bin/uv,$(UV))
	$(BUILD_FUNCTION) stripe_caller "$(ARTIFACTS_DIR)"

build-ReconcileFunction: | $(filter .tools/bin/uv,$(UV))
	$(BUILD_FUNCTION) reconciler "$(ARTIFACTS_DIR)"

build-FlowRunnerFunction: | $(filter .tools/bin/uv,$(UV))
	$(BUILD_FUNCTION) flow_runner "$(ARTIFACTS_DIR)"
	$(if $(FLOWS),@$(PYTHON) tools/lambdas/add_flows.py --uv $(UV) $(FOR_HOST) "$(ARTIFACTS_DIR)" $(PROJECT))

build-OperatorFunction: | $(filter .tools/bin/uv,$(UV))
	$(BUILD_FUNCTION) operators "$(ARTIFACTS_DIR)"

lint-template: install
	@$(RUN)/cfn-lint --config-file infra/cfnlintrc.yaml

validate: lint-template ## check the template with the rules of SAM and our own rules
	@$(SAM) validate --lint --region $(AWS_REGION)

checkov: | $(filter .tools/bin/uv,$(UV)) ## check the templates with checkov, in an environment of its own
	@CKV_SKIP_PACKAGE_UPDATE_CHECK=true $(UV) tool run --quiet --python $(PYTHON) --from checkov==$(CHECKOV_VERSION) checkov --config-file infra/checkov.yaml

bandit: | $(filter .tools/bin/uv,$(UV)) ## check the code with bandit, in an environment of its own
	@$(UV) tool run --quiet --python $(PYTHON) --from bandit==$(BANDIT_VERSION) bandit --quiet --recursive --severity-level low --configfile infra/bandit.yaml functions flows tools

build: | $(filter .tools/bin/uv,$(UV)) ## build the Lambdas into .aws-sam/build
	@$(SAM) build --region $(AWS_REGION) $(if $(FOR_HOST),--build-dir build/host-stack)

run-event: install .tools/rie-$(SAM_VERSION) ## run a built Lambda on an event without Docker (FUNCTION= EVENT= ENV_FILE=)
	@$(RUN)/python tools/lambdas/run_event.py $(ON_EVENT) $(if $(ENV_FILE),--env-file $(ENV_FILE)) $(RUN_OPTIONS) \
		--emulator .tools/rie-$(SAM_VERSION) --uv $(UV)

imports: install ## show how long each function's imports take (FUNCTION= RUN_OPTIONS='--json')
	@$(RUN)/python tools/lambdas/imports.py $(FUNCTION) $(RUN_OPTIONS) --uv $(UV)

sam-local: install build ## run the same with `sam local invoke`, which needs Docker
	@$(RUN)/python tools/lambdas/sam_local.py $(ON_EVENT) --sam $(SAM)

deploy: build ## deploy the stack to the AWS account that you are signed in to (STAGE= FLOWS= REQUIREMENTS=)
	@$(SAM) deploy --region $(AWS_REGION) $(if $(STAGE),--config-env $(STAGE),--guided)

deploy-here: install .tools/rie-$(SAM_VERSION) ## deploy it to an emulated AWS account on this machine (FLOWS= REQUIREMENTS= PROGRAM=)
	@PYTHONPATH="$(CURDIR)/tools/lambdas$${PYTHONPATH:+:$$PYTHONPATH}" $(RUN)/python tools/deployment $(PROJECT) \
		$(if $(PROGRAM),--program '$(PROGRAM)') --emulator .tools/rie-$(SAM_VERSION) --uv $(UV) --sam $(SAM)

emulator: .tools/rie-$(SAM_VERSION)
	@echo $<

# SAM's wheel contains the runtime interface emulator, which does not need the 80 dependencies of SAM.
.tools/rie-$(SAM_VERSION): | $(filter .tools/bin/uv,$(UV))
	@$(UV) pip install --quiet --no-deps --target $@.new aws-sam-cli==$(SAM_VERSION)
	@mkdir -p .tools && mv $@.new/samcli/local/rapid $@ && rm -r $@.new

.PHONY: build-ApiFunction build-StripeCallerFunction build-ReconcileFunction build-FlowRunnerFunction build-OperatorFunction
.PHONY: lint-template validate checkov bandit build emulator imports run-event sam-local deploy deploy-here
