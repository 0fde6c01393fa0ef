using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Targets;

namespace Fewbit.Quantization;

/// <summary>A quantized model and what was done to it.</summary>
public sealed class QuantizationResult
{
    internal QuantizationResult(Graph model, Graph floatModel, QuantizationReport report) => (Model, FloatModel, Report) = (model, floatModel, report);

    /// <summary>The quantized graph: QuantizeLinear and DequantizeLinear pairs around the integer nodes.</summary>
    public Graph Model { get; }

    /// <summary>The float graph that was quantized: the given model, batch normalizations folded. Its values have the names that the report uses.</summary>
    public Graph FloatModel { get; }

    /// <summary>What was done.</summary>
    public QuantizationReport Report { get; }

    /// <summary>What was decided, to decide the same again; null for modes that take no data.</summary>
    public QuantizationPlan? Plan { get; internal set; }

    /// <summary>The options of a model that a search chose; null for others.</summary>
    internal QuantizationOptions? Chosen { get; set; }

    /// <summary>What becomes of each node between quantizers in ONNX Runtime: the operator on codes that computes it, or why it stays float; on an x64 CPU unless the target is another.</summary>
    public FusionTable Fusion => field ??= FusionTable.Expected(Model, Target?.Host == Architecture.Arm64);

    /// <summary>Layers whose products may saturate on an x64 CPU without VNNI; <see cref="Saturation.Remedy"/> tells what to do.</summary>
    public IReadOnlyList<SaturationRisk> SaturationRisks => field ??= Saturation.Find(Model);

    /// <summary>The model against the rules of the target that the options name; null where they name none.</summary>
    public TargetCheck? TargetCheck => Target is null ? null : field ??= TargetCheck.Of(Model, Target, Runtime);

    internal ExportTarget? Target { get; init; }

    internal RuntimeVersion? Runtime { get; init; }

    /// <summary>Writes the quantized model; a file that is there is replaced once the new one is complete.</summary>
    public void Save(string path) => OnnxFile.Save(Model, path);
}
