using System.Diagnostics;
using Fewbit.Benchmarks.Results;
using Fewbit.Calibration;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>A network with its pictures and what the float model says of each, so that every row is judged on the same ones at half the cost.</summary>
internal sealed class JudgedNetwork
{
    private readonly ModelCase _case;
    private readonly SampleBatch[] _calibration;
    private readonly Dictionary<string, (CalibratedModel, double)> _calibrated = new(StringComparer.Ordinal);
    private readonly List<(string Name, SampleBatch[] Batches, Tensor[] Scores)> _sets = [];

    /// <param name="model">The network with its pictures.</param>
    /// <param name="pictures">How many of a set judge, from its first on.</param>
    public JudgedNetwork(ModelCase model, int pictures)
    {
        (_case, Float) = (model, model.Load());
        _calibration = [.. model.Calibration(Float)];
        using ModelRunner runner = ModelRunner.From(Float);
        foreach ((string name, Func<Graph, IEnumerable<SampleBatch>> batches) in ((string, Func<Graph, IEnumerable<SampleBatch>>)[])[(FormatRecord.Selection, model.Selection), .. model.Judge])
        {
            SampleBatch[] all = [.. batches(Float).TakeWhile(batch => batch.First < pictures)];
            bool isCut = batches(Float).Skip(all.Length).Any();
            _sets.Add((isCut && name != FormatRecord.Selection ? $"first {all.Sum(batch => batch.Count)} of {name}" : name, all, [.. all.Select(batch => ScoresOf(runner, batch))]));
        }
    }

    public Graph Float { get; }

    public long FloatBytes => new FileInfo(Machine.Data(_case.Model)).Length;

    /// <summary>The network with its activation ranges, which rows share that differ only in what comes afterwards, and the processor time that it took.</summary>
    public (CalibratedModel Model, double Seconds) Calibrate(FormatRow row)
    {
        // The samples that bias correction looks at are kept for whoever wants it.
        QuantizationOptions options = (row with { Corrects = true }).Options;
        string key = $"{options.ActivationRange ?? RangeRule.MeanSquaredError} {row.Equalizes} {row.Activations == FormatRow.Float}";
        if (_calibrated.TryGetValue(key, out (CalibratedModel, double) known)) return known;
        TimeSpan start = Process.GetCurrentProcess().TotalProcessorTime;
        CalibratedModel model = CalibratedModel.CreateAsync(Float, _calibration.Select(batch => batch.Inputs).ToAsyncEnumerable(), options.Resolve(), null, CancellationToken.None).GetAwaiter().GetResult();
        return _calibrated[key] = (model, (Process.GetCurrentProcess().TotalProcessorTime - start).TotalSeconds);
    }

    /// <summary>Runs a quantized model on every set.</summary>
    public Dictionary<string, SetRecord> Judge(Graph quantized)
    {
        using ModelRunner runner = ModelRunner.From(quantized);
        return _sets.ToDictionary(set => set.Name, set => Judge(runner, set.Batches, set.Scores));
    }

    private static SetRecord Judge(ModelRunner runner, SampleBatch[] batches, Tensor[] expected)
    {
        var compared = new PairedClassification();
        var right = new byte[(batches.Sum(batch => batch.Count) + 7) / 8];
        int picture = 0;
        foreach ((SampleBatch batch, Tensor reference) in batches.Zip(expected))
        {
            Tensor scores = ScoresOf(runner, batch);
            compared.Add(reference, scores, batch.Count, batch.Labels);
            int classes = (int)scores.Shape.CountOf(1, scores.Rank);
            for (int row = 0; row < batch.Count; row++, picture++)
            {
                if (Scores.ArgMax(scores.Span<float>().Slice(row * classes, classes)) == batch.Labels?[row]) right[picture / 8] |= (byte)(1 << picture % 8);
            }
        }
        return new(compared.Result, right);
    }

    private static Tensor ScoresOf(ModelRunner runner, SampleBatch batch) => runner.Run(batch.Inputs)[runner.Outputs[0].Name].Copy();
}
