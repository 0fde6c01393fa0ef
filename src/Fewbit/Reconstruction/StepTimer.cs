using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Times a few steps of each unit, with the first samples of the float network in place of all: what a time budget is divided by.</summary>
internal sealed class StepTimer(Graph prepared, IReadOnlyList<ReconstructionUnit> units, QuantizedState state, UnitPropagation propagation)
{
    private const int Steps = 3;
    private readonly Dictionary<Value, Tensor> _values = [];

    /// <summary>Seconds of a step by unit.</summary>
    /// <param name="pass">The pass that begins.</param>
    /// <param name="learning">Its units.</param>
    /// <param name="all">For each input of the model, all samples.</param>
    /// <param name="cancellation">Stops between two units.</param>
    public IReadOnlyDictionary<ReconstructionUnit, double> Run(ReconstructionPass pass, IReadOnlyList<ReconstructionUnit> learning, IReadOnlyDictionary<string, Tensor> all, CancellationToken cancellation)
    {
        int samples = pass.BatchSize;
        foreach (Value input in prepared.Inputs.Where(input => input.Constant is null))
        {
            samples = (int)Math.Min(pass.BatchSize, all[input.Name].Shape[0]);
            _values[input] = Copy(all[input.Name].Rows(0, samples));
        }
        var seconds = new Dictionary<ReconstructionUnit, double>();
        foreach ((int index, ReconstructionUnit unit) in units.Index())
        {
            cancellation.ThrowIfCancellationRequested();
            if (seconds.Count == learning.Count) break;
            propagation.Run(unit, null, false, value => _values[value], [.. unit.Outputs.Select(value => (value, false))], samples,
                (value, type, shape) => _values[value] = Tensor.AllocateUninitialized(type, shape));
            if (learning.Contains(unit)) seconds[unit] = Time(unit, pass, samples);
            HashSet<Value> needed = [.. units.Skip(index + 1).SelectMany(later => later.Inputs)];
            foreach (Value value in _values.Keys.Where(value => !needed.Contains(value)).ToArray()) _values.Remove(value);
        }
        return seconds;
    }

    private double Time(ReconstructionUnit unit, ReconstructionPass pass, int samples)
    {
        var training = new UnitTraining(prepared, unit, state, pass, value => _values[value]);
        Tensor[] inputs = [.. unit.Inputs.Select(value => _values[value])], targets = [.. unit.Outputs.Select(value => _values[value])];
        Tensor[] gradients = pass.Objective.NeedsGradients ? [.. targets.Select(Copy)] : [];
        UnitFeatures features = training.LayOut(new UnitFeatures(samples, pass.Input.ReadsTeacher ? inputs : [], pass.Input.ReadsStudent ? inputs : [], targets, gradients));
        var times = new double[Steps];
        // The first step compiles what the others only run.
        for (int i = -1; i < Steps; i++)
        {
            long start = Stopwatch.GetTimestamp();
            training.Step(0, Steps, new SeededRandom((ulong)i), features);
            if (i >= 0) times[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        features.Restore();
        Array.Sort(times);
        return times[Steps / 2];
    }

    private static Tensor Copy(Tensor tensor)
    {
        Tensor copy = Tensor.AllocateUninitialized(tensor.Type, tensor.Shape);
        tensor.CopyTo(copy);
        return copy;
    }
}
