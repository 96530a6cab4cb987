#!/bin/bash -l
#SBATCH --job-name=$${job_name}
#SBATCH --partition=$${queue}
#SBATCH --account=$${account}
#SBATCH --nodes=$${nodes}
#SBATCH --ntasks-per-node=$${cores}
#SBATCH --cpus-per-task=1
#SBATCH --mem=$${memory_MB}M
#SBATCH --gpus-per-node=$${gpus}
#SBATCH --time=$${walltime}
#SBATCH --array=$${array}
#SBATCH --no-requeue
#SBATCH --output=$${log}
#SBATCH $${scheduler_lines}

$${pre_rocket}
cd $${launch_dir}
$${rocket_launch}
