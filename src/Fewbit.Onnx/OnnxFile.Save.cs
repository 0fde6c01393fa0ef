using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Writing;
using Google.Protobuf;

namespace Fewbit.Onnx;

public static partial class OnnxFile
{
    /// <summary>Writes a model. The file, and the external data if there is any, appear under their names only when they are complete.</summary>
    /// <exception cref="InvalidDataException">The graph holds what ONNX has no form for; the message names the node or value.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(Graph graph, string path, OnnxSaveOptions? options = null)
    {
        options ??= new();
        var side = new SideFile(Path.GetFileName(path) + ".data", NeedsExternalData(graph, options) ? options.ExternalThreshold : long.MaxValue);
        ModelProto model = Checked(path, () => ModelWriter.Write(graph, side, options));
        string temporary = $"{path}.{Environment.ProcessId}.tmp", sidePath = path + ".data", temporarySide = $"{sidePath}.{Environment.ProcessId}.tmp";
        try
        {
            if (!side.IsEmpty) side.WriteTo(temporarySide);
            using (FileStream file = File.Create(temporary)) model.WriteTo(file);
            // The data first: a model whose data is missing is worse than data that no model reads.
            if (!side.IsEmpty) File.Move(temporarySide, sidePath, overwrite: true);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
            File.Delete(temporarySide);
        }
    }

    /// <summary>The bytes of a model file without external data.</summary>
    /// <exception cref="InvalidDataException">The graph holds what ONNX has no form for, or more than fits into one file.</exception>
    public static byte[] ToBytes(Graph graph, OnnxSaveOptions? options = null)
    {
        options ??= new();
        if (NeedsExternalData(graph, options)) throw new InvalidDataException($"graph '{graph.Name}' needs external data, which only a file can have: save it to a path");
        return ModelWriter.Write(graph, new SideFile("", long.MaxValue), options).ToByteArray();
    }

    /// <summary>What the file that a graph was read from says of itself.</summary>
    public static OnnxModelInfo Describe(Graph graph) => graph.Origin is GraphOrigin { Model: { } model, OpsetVersion: int opset }
        ? new(model.IrVersion, model.ProducerName, model.ProducerVersion, model.Domain, model.ModelVersion, opset)
        : new(0, "", "", "", 0, 0);

    /// <summary>Rewrites a graph so that it means under a later opset what it means now; does nothing where it has that opset or a later one.</summary>
    /// <exception cref="ArgumentException">The graph's opset is older than 13: loading a file upgrades it.</exception>
    /// <exception cref="InvalidDataException">A node has no equivalent; the message names it.</exception>
    public static void RaiseOpset(Graph graph, int opset)
    {
        int from = graph.OpsetVersion("");
        if (from < Upgrade.OpsetUpgrade.Target) throw new ArgumentException($"the graph states opset {from}, expected {Upgrade.OpsetUpgrade.Target} or later", nameof(graph));
        if (from < opset) Upgrade.OpsetUpgrade.Raise(graph, opset);
    }

    private static bool NeedsExternalData(Graph graph, OnnxSaveOptions options) => options.ExternalData || ModelWriter.TensorBytes(graph) > options.InlineLimit;
}
