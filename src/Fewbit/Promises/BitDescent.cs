using Fewbit.Data;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Transforms;

namespace Fewbit.Promises;

/// <summary>Takes bits from the weights of one layer after the other, 8 to 4 to 2, the cheapest for each byte first, and finds by halving how far the promise goes.</summary>
/// <remarks>
/// Codes of 4 and of 2 bits are learned once for each layer, alone, so that a mixture of formats needs no learning of its own: that is what makes halving cheap. What the layers then
/// learn together, with the formats that they have got, may carry the promise further.
/// </remarks>
internal sealed class BitDescent(CandidateMaker maker, PromiseTrials trials, PromiseOptions options, Func<Graph, IModelRunner> engine, CancellationToken cancellation)
{
    private const int Iterations = 2000, SensitivitySamples = 128, JointRounds = 3, Between = 4;
    private const double AloneShare = 0.15, JointShare = 0.4;
    private static readonly IntegerFormat s_bits4 = new(4, IsSigned: false), s_bits2 = new(2, IsSigned: false);

    private readonly Dictionary<int, IReadOnlyDictionary<string, GivenWeight>> _codes = [];
    private Recipe _start = new(new());
    private IReadOnlyList<BitStep> _steps = [];
    private int _layers;

    /// <summary>Tries candidates with fewer and fewer bits; which of them keep the promise is for the held-out samples to say.</summary>
    /// <param name="start">Keeps the promise as far as the choosing samples show.</param>
    public void Run(Recipe start)
    {
        QuantizationOptions wide = start.Options;
        _start = start with { Options = wide with { Transforms = wide.Transforms.Count > 0 ? wide.Transforms : [new CorrectBiases()] } };
        if (!trials.HasTime()) return;
        WeightSite[] sites = [.. maker.SitesOf(wide).Weights.Where(site => maker.IsNamed(site.Node))];
        _layers = sites.Length;
        foreach (IntegerFormat format in new[] { s_bits4, s_bits2 })
        {
            QuantizationOptions lowered = wide with { Weights = format, KeepEdgesAt8Bits = false, Transforms = [.. wide.Transforms.Where(transform => transform is not CorrectBiases)] };
            trials.Announce($"codes of {format.BitWidth} bits", "learning");
            _codes[format.BitWidth] = maker.LearnAlone($"alone{format.BitWidth}", lowered, options.Iterations ?? Iterations, trials.Left * AloneShare);
        }
        trials.Announce("sensitivity of layers", "measuring");
        _steps = BitStep.Order(Costs(sites));
        int holds = 0, fails = _steps.Count + 1;
        while (fails - holds > 1 && trials.HasTime())
        {
            int middle = (holds + fails) / 2;
            if (Try(middle, null).IsExpected) holds = middle;
            else fails = middle;
        }
        LearnTogether(holds, fails);
        // Steps between int8 and the end, for the held-out samples to choose how far to go.
        for (int part = 1; part < Between && trials.HasTime(); part++)
        {
            if (part * holds / Between > 0) Try(part * holds / Between, null);
        }
    }

    /// <summary>Lets the layers learn together with the formats of a candidate that went too far, until steps are small or time is up.</summary>
    private void LearnTogether(int holds, int fails)
    {
        fails = Math.Min(_steps.Count + 1, holds + Math.Max(2, (_steps.Count + 1 - holds) / 2));
        for (int round = 0; round < JointRounds && fails - holds > 1 && trials.HasTime(); round++)
        {
            int middle = (holds + fails) / 2;
            QuantizationOptions learning = OptionsAt(middle) with { Method = RoundingMethod.QDrop };
            trials.Announce(NameAt(middle, true), "learning");
            if (Try(middle, maker.Learn($"together{middle}", learning, options.Iterations ?? Iterations, trials.Left * JointShare)).IsExpected) holds = middle;
            else fails = middle;
        }
    }

    private Trial Try(int count, GivenQuantizers? together)
    {
        Dictionary<string, int> bits = BitsAt(count);
        QuantizationOptions lowered = OptionsAt(count);
        if (together is not null) lowered = lowered with { Method = RoundingMethod.QDrop };
        return trials.Try(NameAt(count, together is not null), () => maker.Make(lowered, together ?? Given(bits)));
    }

    /// <summary>layers by bits: 2 of 8, 16 of 4, 2 of 2 (step 20).</summary>
    private string NameAt(int count, bool isTogether)
    {
        Dictionary<string, int> bits = BitsAt(count);
        (int Bits, int Layers)[] parts = [(8, _layers - bits.Count), (4, bits.Values.Count(value => value == 4)), (2, bits.Values.Count(value => value == 2))];
        string formats = string.Join(", ", parts.Where(part => part.Layers > 0).Select(part => $"{part.Layers} of {part.Bits}"));
        return $"layers by bits: {formats} (step {count}){(isTogether ? ", learned together" : "")}";
    }

    /// <summary>Bits of the layers that have fewer than 8.</summary>
    private Dictionary<string, int> BitsAt(int count)
    {
        var bits = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (BitStep step in _steps.Take(count)) bits[step.Node] = step.Bits;
        return bits;
    }

    private QuantizationOptions OptionsAt(int count) => _start.Options with
    {
        Overrides = [.. _start.Options.Overrides, .. BitsAt(count).Select(pair => new LayerOverride { Layers = pair.Key, Weights = pair.Value == 4 ? s_bits4 : s_bits2 })],
    };

    private GivenQuantizers Given(Dictionary<string, int> bits)
    {
        Dictionary<string, GivenWeight> weights = _start.Given is { } given ? new(given.Weights, StringComparer.Ordinal) : new(StringComparer.Ordinal);
        foreach ((string node, int count) in bits) weights[node] = _codes[count][node];
        return new(weights, _start.Given?.Activations ?? GivenQuantizers.None.Activations);
    }

    /// <summary>Divergence of the float network's output when one layer alone has the codes of 4 or of 2 bits.</summary>
    private IEnumerable<(string, long, double, double)> Costs(WeightSite[] sites)
    {
        Graph prepared = maker.PreparedFor(_start.Options);
        QuantizerSites all = maker.SitesOf(_start.Options);
        IReadOnlyList<SampleBatch> samples = maker.FirstSamples(SensitivitySamples);
        AnswerKey key;
        using (IModelRunner model = engine(prepared)) key = AnswerKey.Of(model, samples, cancellation);
        for (int i = 0; i < sites.Length; i++)
        {
            maker.Progress?.Report(new("lowering one layer at a time", i, sites.Length));
            yield return (sites[i].Node.Name, sites[i].Weight.Constant!.ElementCount, Cost(sites[i], 4), Cost(sites[i], 2));
        }

        double Cost(WeightSite site, int bits)
        {
            GivenWeight weight = _codes[bits][site.Node.Name];
            var rounded = new Dictionary<string, Tensor> { [site.Node.Name] = AffineQuantizer.Dequantize(weight.Codes, weight.Parameters) };
            using IModelRunner model = engine(SimulatedGraph.Build(prepared, all, new Dictionary<string, QuantizationParameters>(), rounded));
            return key.Compare(model, PromiseMeasure.Agreement, cancellation).MeanKl;
        }
    }
}
